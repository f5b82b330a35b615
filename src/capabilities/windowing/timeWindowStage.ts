import type { StageSpec } from "../../actors/index.ts"
import type { StreamFunction } from "../../scheduler/index.ts"
import { callWithMeter, whenSettled, wrapFunctions } from "../wrapFunction.ts"
import { timestampOf } from "./timeOptions.ts"
import { TimeWindows, type TimeWindowSettings } from "./TimeWindows.ts"

/** The stage of windows by time, whether they follow each other or overlap. */
export const timeWindowStage = (
  settings: TimeWindowSettings,
  { onLate, timestampFn }: { readonly timestampFn: StreamFunction | undefined; readonly onLate: StreamFunction | undefined }
): StageSpec => ({
  kind: "stage",
  capability: settings.capability,
  apply: { fn: placing(settings.capability, timestampFn, onLate), args: ({ state, value }) => [value, state("windows")] },
  state: { windows: () => new TimeWindows(settings), due: () => Infinity },
  then: ({ emitEach, local, now, result, state, value }) => {
    const given = local("given")
    return `
      const ${given} = ${state("windows")}.add(${value}, ${result}.timestamp, ${result}.weight, ${now});
      ${state("due")} = ${state("windows")}.due;
      if (${given} !== undefined) { ${emitEach(given)} }`
  },
  timer: {
    at: "due",
    fire: ({ emitEach, local, now, state }) => {
      const given = local("given")
      return `const ${given} = ${state("windows")}.tick(${now}); ${state("due")} = ${state("windows")}.due; ${emitEach(given)}`
    }
  },
  atEnd: ({ emitEach, local, state }) => {
    const given = local("given")
    return `const ${given} = ${state("windows")}.end(); ${state("due")} = Infinity; ${emitEach(given)}`
  },
  snapshot: ({ windows }) => (windows as TimeWindows).snapshot(),
  restore: (snapshot) => {
    const windows = TimeWindows.restore(settings, snapshot)
    return { windows, due: windows.due }
  },
  counters: ({ windows }) => ({
    open: (windows as TimeWindows).size,
    items: (windows as TimeWindows).items,
    // Before the first item there is none.
    ...((windows as TimeWindows).watermark > -Infinity ? { watermark: (windows as TimeWindows).watermark } : {}),
    ...(windows as TimeWindows).counts
  }),
  bound: {
    kind: "bounded",
    by: `${settings.maxItems} items (:max-items), ${settings.maxBytes} bytes (:max-bytes)`,
    items: settings.maxItems,
    bytes: settings.maxBytes
  }
})

/** Everything that can fail on an item: its time, its weight, whoever is told that it is late. */
const placing = (capability: string, timestampFn: StreamFunction | undefined, onLate: StreamFunction | undefined): StreamFunction => {
  if (timestampFn === undefined) {
    return wrapFunctions("weigh", [], 2, (item: unknown, windows: TimeWindows) => ({ timestamp: undefined, weight: windows.weigh(item) }))
  }
  const place = (item: unknown, timestamp: number, windows: TimeWindows): unknown => {
    if (!windows.isLate(timestamp)) return { timestamp, weight: windows.weigh(item) }
    const late = { timestamp, weight: 0 }
    return onLate === undefined ? late : whenSettled(callWithMeter(onLate, item, { timestamp, watermark: windows.watermark }), () => late)
  }
  return wrapFunctions("timestamp", [timestampFn, onLate], 2, (item: unknown, windows: TimeWindows) =>
    whenSettled(callWithMeter(timestampFn, item), (given) => place(item, timestampOf(capability, given), windows))
  )
}
