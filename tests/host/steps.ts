/** Lets everything that can happen without waiting for a time happen. */
export const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 30; turn++) await new Promise((resolve) => setImmediate(resolve))
}

/** Where calls wait until they are let through, one after the other. */
export const gate = () => {
  const waiting: Array<() => void> = []
  let isOpen = false
  return {
    wait: (): Promise<void> | undefined => (isOpen ? undefined : new Promise((resolve) => waiting.push(resolve))),
    /** Lets the call through that waits, and everything happen that follows. */
    pass: async (): Promise<void> => {
      waiting.shift()!()
      await settle()
    },
    open: (): void => {
      isOpen = true
      for (const resolve of waiting.splice(0)) resolve()
    }
  }
}
