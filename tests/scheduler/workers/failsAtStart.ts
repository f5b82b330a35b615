throw new Error("this worker can't start")
