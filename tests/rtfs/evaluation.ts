import { createEvaluator, type Limits, print, RtfsError, type RtfsHost, toJson } from "../../src/rtfs/index.ts"

/** A host that records what programs ask of it. `async.*` capabilities answer with a promise. */
export const recordingHost = (globals: Readonly<Record<string, unknown>> = {}) => {
  const calls: Array<string> = []
  const host: RtfsHost = {
    call: (id, args, hints) => {
      calls.push([id, ...args.map((arg) => print(arg)), ...(Object.keys(hints).length > 0 ? [toJson(hints)] : [])].join(" "))
      if (id === "fail") throw new Error("the capability failed")
      if (id === "async.fail") return Promise.reject(new Error("the capability failed later"))
      const value = args.length === 0 ? null : args[0]
      return id.startsWith("async.") ? Promise.resolve(value) : value
    },
    globals: new Map(Object.entries(globals))
  }
  return { host, calls }
}

/** The printed value of a program. */
export const value = async (
  source: string,
  globals: Readonly<Record<string, unknown>> = {},
  limits: Partial<Limits> = {}
): Promise<string> => print(await createEvaluator(recordingHost(globals).host, limits).evaluate(source))

/** The error of a program. */
export const failureOf = async (
  source: string,
  globals: Readonly<Record<string, unknown>> = {},
  limits: Partial<Limits> = {}
): Promise<RtfsError> => {
  let result: unknown
  try {
    result = await createEvaluator(recordingHost(globals).host, limits).evaluate(source)
  } catch (error) {
    if (error instanceof RtfsError) return error
    throw error
  }
  throw new Error(`Expected a failure, got ${print(result)}`)
}

/** Splits a table of `source ⇒ printed value` lines; `!type` stands for an error of that type. */
export const rows = (table: string): Array<readonly [source: string, expected: string]> =>
  table
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => {
      const at = line.indexOf(" ⇒ ")
      return [line.slice(0, at).trim(), line.slice(at + 3).trim()]
    })

/** What a program gives: its printed value, or `!type` of its error. */
export const outcome = async (source: string, globals: Readonly<Record<string, unknown>> = {}): Promise<string> => {
  try {
    return await value(source, globals)
  } catch (error) {
    if (error instanceof RtfsError) return `!${error.type}`
    throw error
  }
}
