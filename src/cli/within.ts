/** What the promise gives, or, when that takes longer, what `late` gives or throws. Without a time it waits for ever. */
export const within = async <Value>(timeoutMs: number | undefined, promise: Promise<Value>, late: () => Value): Promise<Value> => {
  if (timeoutMs === undefined) return promise
  let timer: NodeJS.Timeout
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeoutMs)
  })
  return Promise.race([promise, timeout.then(late)]).finally(() => clearTimeout(timer))
}
