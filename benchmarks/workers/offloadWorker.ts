import { createWorkerHandler } from "../../src/scheduler/index.ts"

export default createWorkerHandler({
  compileRtfs: () => {
    throw new Error("This benchmark sends exports of modules only.")
  }
})
