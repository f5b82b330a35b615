import * as Duration from "effect/Duration"
import type { Backoff } from "./Backoff.ts"
import type { ChildSpec } from "./ChildSpec.ts"
import type { ChildExit, Directive } from "./Directive.ts"
import { BadSupervision } from "./errors.ts"
import type { RestartIntensity } from "./RestartIntensity.ts"
import { type RestartStrategy, restartStrategies } from "./RestartStrategy.ts"
import type { SupervisorEvent } from "./SupervisorEvent.ts"

/** How a supervisor is set up. */
export interface SupervisorOptions {
  /** Its path, such as `/pipelines/orders`; a child's address is this, a slash and its id. */
  readonly address: string
  /** By default `one-for-one`. */
  readonly strategy?: RestartStrategy
  /** For all children together. By default 3 restarts per child that there is, within 5 seconds. */
  readonly intensity?: RestartIntensity
  /** For each child by itself. By default 3 restarts within 5 seconds. */
  readonly childIntensity?: RestartIntensity
  /** By default 200 ms, doubling up to 30 s, up to 20 % longer, from the beginning after 60 s of health. */
  readonly backoff?: Backoff
  /**
   * Whether the supervisor ends, normally, when a significant child ends by itself and does not restart: the first
   * such child, or the last. By default `never`.
   */
  readonly autoShutdown?: "never" | "any-significant" | "all-significant"
  /**
   * How children are stopped: one after the other, the last started first (the default), or all at the same moment, for
   * groups of many children that don't depend on each other, as OTP's `simple_one_for_one` does.
   */
  readonly stopOrder?: "reverse" | "together"
  /** How long a killed child may take to close its scope before it is abandoned and reported. By default 1 second. */
  readonly killGrace?: Duration.Input
  /** Started in this order, and stopped in the reverse. */
  readonly children?: ReadonlyArray<ChildSpec>
  /**
   * The owner's say in what happens when a child ends by itself; `exit.otherwise` is what happens without it. It is
   * asked about each end once, in the turn in which it happens, so it must not block. If it throws, the supervisor escalates.
   *
   * It is not asked about children that the supervisor is stopping, nor about those whose first start was awaited by a
   * caller, who is told instead.
   */
  readonly onExit?: (exit: ChildExit) => Directive
  /** Told what happens, in the turn in which it happens. It must not block; what it throws is logged. */
  readonly onEvent?: (event: SupervisorEvent) => void
}

/** The first thing that is wrong with the options, if any. */
export const problemOfOptions = (options: SupervisorOptions): BadSupervision | undefined => {
  const bad = (problem: string, fix: string) => new BadSupervision({ supervisor: options.address, problem, fix })
  if (options.strategy !== undefined && !restartStrategies.includes(options.strategy)) {
    return bad(`there is no strategy "${String(options.strategy)}"`, `Choose one of ${restartStrategies.join(", ")}.`)
  }
  for (const name of ["intensity", "childIntensity"] as const) {
    const problem = problemOfIntensity(options[name])
    if (problem !== undefined)
      return bad(`its ${name} ${problem}`, "Allow a whole number of restarts in some time: { restarts: 3, period: 5000 }.")
  }
  if (options.backoff !== undefined) {
    const { initial, factor, jitter, maximum } = options.backoff
    if (!(Duration.toMillis(initial) >= 0 && Duration.toMillis(maximum) >= 0 && factor >= 1 && jitter >= 0)) {
      return bad("its backoff would shrink or be negative", "Let initial, maximum and jitter be at least 0 and factor at least 1.")
    }
  }
  const ids = new Set<string>()
  for (const spec of options.children ?? []) {
    if (ids.has(spec.id)) return bad(`two children have the id "${spec.id}"`, "Give each child an id of its own.")
    ids.add(spec.id)
    const problem = problemOfSpec(spec, options)
    if (problem !== undefined) return problem
  }
  return undefined
}

/** What keeps a child spec from being used in such a supervisor, if anything. */
export const problemOfSpec = (spec: ChildSpec, options: SupervisorOptions): BadSupervision | undefined => {
  const bad = (problem: string, fix: string) => new BadSupervision({ supervisor: options.address, problem, fix })
  if (spec.id === "" || spec.id.includes("/")) {
    return bad(`"${spec.id}" can't be a child's id`, "Ids are parts of addresses: use a name without a slash.")
  }
  if (spec.significant === true && (options.autoShutdown ?? "never") === "never") {
    return bad(
      `its child ${spec.id} is significant, but autoShutdown is "never"`,
      "Set autoShutdown to any-significant or all-significant."
    )
  }
  if (spec.significant === true && (spec.restart ?? "permanent") === "permanent") {
    return bad(
      `its child ${spec.id} is significant and permanent`,
      "A permanent child never ends for good: make it transient or temporary."
    )
  }
  if (spec.shutdown !== undefined && typeof spec.shutdown === "number" && !(spec.shutdown >= 0)) {
    return bad(`its child ${spec.id} has a shutdown time of ${spec.shutdown}`, "Use milliseconds, a Duration, brutal-kill or infinity.")
  }
  return undefined
}

const problemOfIntensity = (intensity: RestartIntensity | undefined): string | undefined => {
  if (intensity === undefined) return undefined
  if (!Number.isInteger(intensity.restarts) || intensity.restarts < 0) return `allows ${intensity.restarts} restarts`
  const periodMs = Duration.toMillis(intensity.period)
  return periodMs > 0 && Number.isFinite(periodMs) ? undefined : `has a period of ${periodMs} ms`
}
