import * as Schema from "effect/Schema"
import * as Transformation from "effect/SchemaTransformation"
import type { StreamFunction } from "../../scheduler/index.ts"
import { isKeyword, type Keyword } from "../../serialization/index.ts"
import { defineCapability } from "../Capability.ts"
import { functionOfKeyword } from "../functionOfKeyword.ts"
import { count, defaulted, flag, fn, optional, type OptionType, required } from "../Option.ts"
import { compileSchema } from "../schemas/index.ts"
import { callWithMeter, whenSettled, wrapFunctions } from "../wrapFunction.ts"
import { type Evolved, Evolution, type Migration, type Versions } from "./Evolution.ts"
import { problemOfSchema, schema } from "./schemaOption.ts"

/** `{1 (fn …) 2 (fn …)}`, in the order of the versions. */
const migrationSteps: OptionType<ReadonlyArray<Migration>> = {
  type: "map from version to function",
  schema: Schema.declare((value): value is object => stepsOf(value) !== undefined, {
    expected: "a map from a version (1, 2, …) to the function that makes the next one of it"
  }).pipe(
    Schema.decodeTo(
      Schema.declare((value): value is ReadonlyArray<Migration> => Array.isArray(value)),
      Transformation.transform({
        decode: (value: object) => stepsOf(value)!,
        encode: (steps: ReadonlyArray<Migration>): object => new Map(steps.map(({ fn, from }) => [from, fn]))
      })
    )
  )
}

const stepsOf = (value: unknown): ReadonlyArray<Migration> | undefined => {
  if (typeof value !== "object" || value === null) return undefined
  const entries: Array<[unknown, unknown]> = value instanceof Map ? [...value] : Object.entries(value)
  const steps = entries.map(([version, made]) => ({ from: Number(version), fn: isKeyword(made) ? functionOfKeyword(made) : made }))
  if (steps.length === 0 || steps.some(({ fn, from }) => !Number.isSafeInteger(from) || typeof fn !== "function")) return undefined
  return (steps as ReadonlyArray<Migration>).toSorted((one, other) => one.from - other.from)
}

const mapKey: OptionType<string> = {
  type: "key",
  schema: Schema.declare((value): value is Keyword | string => typeof value === "string" || isKeyword(value), { expected: "a key" }).pipe(
    Schema.decodeTo(
      Schema.String,
      Transformation.transform({
        decode: (key: Keyword | string) => (isKeyword(key) ? key.name : key),
        encode: (key: string): Keyword | string => key
      })
    )
  )
}

interface Given {
  readonly "migration-fn": StreamFunction | undefined
  readonly migrations: ReadonlyArray<Migration> | undefined
  readonly "version-key": string | undefined
  readonly "version-fn": StreamFunction | undefined
  readonly "current-version": number | undefined
}

export const schemaEvolution = defineCapability({
  id: "stream.schema-evolution",
  summary: "Brings items of older schemas into the current one, step by step, and hands what can't be migrated to :on-invalid.",
  spec: "§7 Schema Evolution",
  kind: "operator",
  consuming: ["on-migrated"],
  short: ["current-schema", "migration-fn"],
  options: {
    "current-schema": required(schema, "what every emitted item satisfies, as in `:stream.validate-types`"),
    "migration-fn": optional(fn, "takes an item that does not satisfy the schema, gives one that should"),
    migrations: optional(
      migrationSteps,
      "instead: for each old version the function that makes an item of the next version of it, `{1 v1->v2, 2 v2->v3}`"
    ),
    "version-key": optional(mapKey, "with `:migrations`, the key that holds an item's version; by default `:version`"),
    "version-fn": optional(fn, "instead of the key: takes an item, gives its version, or `nil` for one that has none"),
    "current-version": optional(count, "the version of the current schema; the one after the last migration, which it must be"),
    "on-migrated": optional(fn, "receives each emitted item in order, migrated or not, and starts the stream"),
    "on-invalid": optional(fn, "takes the vector of errors and the item as it came; it only observes"),
    closed: defaulted(flag, false, "whether maps may have only the keys that the schema lists")
  },
  order: "Kept, also where a migration is asynchronous: it is awaited.",
  delivery:
    "Each item is emitted untouched, emitted migrated, or invalid; all three are counted. A migration that throws makes its item invalid. A refinement, `:version-fn` or `:on-invalid` that throws is an item failure.",
  backpressure: "Nothing is held.",
  notes: [
    "With `:migration-fn`, an item that satisfies the current schema passes untouched; any other is migrated and checked again.",
    "With `:migrations`, the version decides. An item of the current version is checked; an older one goes through the steps from its version on, and the last result is checked. One without a version passes if it satisfies the current schema, else it counts as the oldest. An unknown version is invalid.",
    "Each step's result carries the next version: under `:version-key` it is set where the function left it out; a `:version-fn` has to say it. So items that went through once pass untouched a second time."
  ],
  example:
    '(call :stream.await (call :stream.to-collection {:source (call :stream.schema-evolution [{:version 1 :name "Ada L"} {:version 2 :first "Grace"}] {:current-schema [:map [:first :string]] :migrations {1 (fn [old] {:first (:name old)})}})}))',
  check: (options) =>
    problemOfSchema("current-schema", options["current-schema"], { closed: options.closed }) ?? problemOfMigrations(options),
  node: (options) => {
    const {
      closed,
      "current-schema": current,
      "migration-fn": migrate,
      migrations = [],
      "on-invalid": onInvalid,
      "version-fn": versionFn
    } = options
    const validate = compileSchema(current, { closed })
    const evolution = new Evolution(migrate === undefined ? { validate, versions: versionsOf(options, migrations) } : { validate, migrate })
    const evolve = (item: unknown): unknown =>
      whenSettled(evolution.evolve(item), (evolved) => {
        const { errors } = evolved as Evolved
        if (errors.length === 0 || onInvalid === undefined) return evolved
        return whenSettled(callWithMeter(onInvalid, errors, item), () => evolved)
      })
    return {
      kind: "stage",
      capability: "stream.schema-evolution",
      apply: { fn: wrapFunctions("evolve", [migrate, versionFn, onInvalid, ...migrations.map(({ fn }) => fn)], 1, evolve) },
      state: { untouched: () => 0, migrated: () => 0, invalid: () => 0 },
      then: ({ emit, result, state }) => `
        if (${result}.errors.length > 0) ${state("invalid")}++;
        else {
          if (${result}.isMigrated) ${state("migrated")}++; else ${state("untouched")}++;
          ${emit(`${result}.value`)}
        }`,
      counters: ({ invalid, migrated, untouched }) => ({
        untouched: untouched as number,
        migrated: migrated as number,
        invalid: invalid as number
      }),
      bound: { kind: "none" }
    }
  }
})

const versionsOf = (options: Given, migrations: ReadonlyArray<Migration>): Versions => ({
  migrations,
  key: options["version-fn"] === undefined ? (options["version-key"] ?? "version") : undefined,
  versionFn: options["version-fn"]
})

const problemOfMigrations = (options: Given): string | undefined => {
  const { "current-version": current, "migration-fn": migrate, migrations } = options
  if (migrate === undefined && migrations === undefined) return "needs :migration-fn, or :migrations with a function for each old version."
  if (migrate !== undefined && migrations !== undefined)
    return "has both :migration-fn and :migrations; give the one that knows the versions."
  if (migrations === undefined) {
    const extra = (["version-key", "version-fn", "current-version"] as const).find((name) => options[name] !== undefined)
    return extra === undefined ? undefined : `has :${extra}, which goes with :migrations and not with :migration-fn.`
  }
  if (options["version-key"] !== undefined && options["version-fn"] !== undefined)
    return "has both :version-key and :version-fn; one says the version."
  const gap = migrations.findIndex(({ from }, index) => from !== migrations[0]!.from + index)
  if (gap > 0)
    return `has no migration from version ${migrations[gap - 1]!.from + 1}: those in :migrations follow each other without a gap.`
  const last = migrations.at(-1)!.from
  if (current !== undefined && current !== last + 1)
    return `has :current-version ${current}, but its last migration goes from ${last} to ${last + 1}.`
  return undefined
}
