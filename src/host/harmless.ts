/** A callback of the host that only observes: what it throws, or rejects with, is no failure of a stream. Told once. */
export const harmless = <A>(name: string, callback: (value: A) => unknown): ((value: A) => void) => {
  let isTold = false
  const tell = (error: unknown) => {
    if (isTold) return
    isTold = true
    const why = error instanceof Error ? error.message : String(error)
    process.emitWarning(`The host's ${name} failed: ${why}. It is called on, and the streams go on; this is said once only.`, {
      type: "HostCallbackFailed",
      ...(error instanceof Error && error.stack !== undefined ? { detail: error.stack } : {})
    })
  }
  return (value) => {
    try {
      Promise.resolve(callback(value)).catch(tell)
    } catch (error) {
      tell(error)
    }
  }
}
