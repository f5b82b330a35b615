import { keyword } from "../serialization/index.ts"
import type { EventTimeOptions } from "./WindowOptions.ts"

/** Option names as programs write them; what is `undefined` is left out. */
export const kebab = (options: object): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(options)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`), value])
  )

/** The same for an option that is a map of its own, where it is given. */
export const kebabMap = (options: object | undefined): Record<string, unknown> | undefined => options && kebab(options)

/** The same for windows by time, whose `timestamp` is a `:timestamp-fn` of programs. */
export const timed = ({ timestamp, ...others }: EventTimeOptions<any>): Record<string, unknown> =>
  kebab({ timestampFn: timestamp, ...others })

/** A generator of TypeScript says `"done"`, one of a program `:done`. */
export const doneAsKeyword = (generator: (state: unknown) => unknown) => {
  const convert = (result: unknown) => (result === "done" ? keyword("done") : result)
  return (state: unknown) => {
    const result = generator(state)
    return result instanceof Promise ? result.then(convert) : convert(result)
  }
}
