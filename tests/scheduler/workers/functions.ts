import { appendFileSync, openSync, statSync } from "node:fs"

/** What tests run in workers, as exports of a module. */

export const double = (n: number): number => n * 2

export const isOdd = (n: number): boolean => n % 2 === 1

export const failOnSevens = (n: number): number => {
  if (n % 7 === 0) throw new TypeError(`no ${n}, please`)
  return n
}

/** An item is what is to happen to the worker: a number comes back tripled. */
export const obey = (order: unknown): unknown => {
  if (typeof order === "number") return order * 3
  switch (order) {
    case "exit":
      return process.exit(3)
    case "throw-outside":
      setImmediate(() => {
        throw new Error("thrown where nobody catches")
      })
      return new Promise(() => {})
    case "out-of-memory": {
      const kept: Array<unknown> = []
      for (;;) kept.push([kept.length, { text: `${kept.length}` }])
    }
    case "hang":
      for (;;);
    case "never":
      return new Promise(() => {})
    case "later":
      return new Promise((resolve) => setImmediate(resolve, "late"))
    case "function":
      return () => order
    case "fail":
      throw new Error("refused")
    case "throw-text":
      throw "just text"
    case "throw-unshowable":
      throw new Unshowable()
    default:
      return order
  }
}

/** Works for so many microseconds of CPU and returns its argument. */
export const spin = (micros: number): number => {
  const until = performance.now() + micros / 1000
  while (performance.now() < until);
  return micros
}

/** Ends its worker the first `times` times that it gets this item, which a file remembers, and survives from then on. */
export const dieSometimes = (order: unknown): unknown => {
  if (order === null || typeof order !== "object") return obey(order)
  const { file, times } = order as { readonly file: string; readonly times: number }
  appendFileSync(file, "x")
  return statSync(file).size <= times ? process.exit(1) : "survived"
}

/** Opening a pipe without a writer blocks the thread where nothing can interrupt it. */
export const openForReading = (path: string): string => {
  openSync(path, "r")
  return "opened"
}

class Unshowable {
  toString(): string {
    throw new Error("can't be shown")
  }
}
