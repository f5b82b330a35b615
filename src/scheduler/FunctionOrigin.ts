import { describe, type StreamFunction } from "./StreamFunction.ts"

/** Whether a function can be made again in another thread or process. */
export const isPortable = (fn: StreamFunction): boolean => {
  const { origin } = describe(fn)
  if (origin.kind !== "rtfs") return origin.kind !== "closure"
  return Object.values(origin.captured).every((value) => typeof value !== "function" || isPortable(value as StreamFunction))
}

/** Where a function comes from, as plain data; `inner` turns the values that it captured into data. */
export const nameOrigin = (fn: StreamFunction, inner: (value: unknown) => unknown): unknown => {
  const { name, origin } = describe(fn)
  switch (origin.kind) {
    case "rtfs":
      return {
        function: "rtfs",
        source: origin.source,
        captured: Object.fromEntries(Object.entries(origin.captured).map(([symbol, value]) => [symbol, inner(value)]))
      }
    case "module":
      return { function: "module", specifier: origin.specifier, export: origin.exportName }
    case "binding":
      return { function: "binding", name: origin.name }
    case "closure":
      return { function: "closure", name }
  }
}
