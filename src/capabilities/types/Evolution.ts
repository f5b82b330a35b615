import type { StreamFunction } from "../../scheduler/index.ts"
import { isKeyword, keyword } from "../../serialization/index.ts"
import type { SchemaError, Validator } from "../schemas/index.ts"
import { callWithMeter, whenSettled } from "../wrapFunction.ts"

/** A function that makes an item of the next version of one of this version. */
export interface Migration {
  readonly from: number
  readonly fn: StreamFunction
}

/** How the version of an item is known, and how one gets to the next. */
export interface Versions {
  /** From the oldest version on, without a gap. */
  readonly migrations: ReadonlyArray<Migration>
  /** The key that holds the version; a step sets it where its function does not. */
  readonly key: string | undefined
  readonly versionFn: StreamFunction | undefined
}

/** What became of an item. Without errors `value` is an item of the current schema. */
export interface Evolved {
  readonly value: unknown
  readonly isMigrated: boolean
  readonly errors: ReadonlyArray<SchemaError>
}

type Later<A> = A | PromiseLike<A>

/** Brings items of old forms into the current one. It keeps nothing between items. */
export class Evolution {
  readonly #validate: Validator
  readonly #migrate: StreamFunction | undefined
  readonly #versions: Versions | undefined

  /** @param options either one function for whatever is not of the current schema, or versions with a function for each step */
  constructor(options: { readonly validate: Validator } & ({ readonly migrate: StreamFunction } | { readonly versions: Versions })) {
    this.#validate = options.validate
    this.#migrate = "migrate" in options ? options.migrate : undefined
    this.#versions = "versions" in options ? options.versions : undefined
  }

  /** **Fails** with what a refinement or `:version-fn` throws. What a migration throws is an error of the item. */
  evolve(item: unknown): Later<Evolved> {
    if (this.#versions === undefined) return this.#withoutVersions(item, this.#migrate!)
    const versions = this.#versions
    const version = versions.versionFn === undefined ? keyOfItem(item, versions.key!) : callWithMeter(versions.versionFn, item)
    return whenSettled(version, (version) => this.#fromVersion(item, version, versions)) as Later<Evolved>
  }

  #withoutVersions(item: unknown, migrate: StreamFunction): Later<Evolved> {
    if (this.#validate(item).length === 0) return untouched(item)
    return attempt(
      () => callWithMeter(migrate, item),
      (migrated) => this.#revalidated(migrated),
      (error) => failed(item, "an item that :migration-fn can migrate", error)
    )
  }

  #fromVersion(item: unknown, version: unknown, versions: Versions): Later<Evolved> {
    const oldest = versions.migrations[0]!.from
    const current = versions.migrations.at(-1)!.from + 1
    if (version === null || version === undefined) {
      // An item without a version was written before there were any, or is one of now that carries none.
      const errors = this.#validate(item)
      return errors.length === 0 ? untouched(item) : this.#step(item, oldest, current, versions)
    }
    if (version === current) {
      const errors = this.#validate(item)
      return errors.length === 0 ? untouched(item) : { value: item, isMigrated: false, errors }
    }
    const from = typeof version === "bigint" ? Number(version) : version
    if (!Number.isInteger(from) || (from as number) < oldest || (from as number) > current) {
      return wrong(item, versions.key === undefined ? [] : [versions.key], `a version from ${oldest} to ${current}`, String(version))
    }
    return this.#step(item, from as number, current, versions)
  }

  #step(item: unknown, from: number, current: number, versions: Versions): Later<Evolved> {
    if (from === current) return this.#revalidated(item)
    const { fn } = versions.migrations[from - versions.migrations[0]!.from]!
    return attempt(
      () => whenSettled(callWithMeter(fn, item), (migrated) => this.#stamped(migrated, from + 1, versions)),
      (next) => this.#step(next, from + 1, current, versions),
      (error) => failed(item, `an item that migrates from version ${from} to ${from + 1}`, error)
    )
  }

  /** With its new version, without which a second pass would migrate it again. */
  #stamped(migrated: unknown, version: number, { key, versionFn }: Versions): Later<unknown> {
    if (versionFn === undefined) return keyOfItem(migrated, key!) === version ? migrated : withKey(migrated, key!, version)
    return whenSettled(callWithMeter(versionFn, migrated), (said) => {
      if (said !== version) throw new Error(`of what the migration gave, :version-fn says version ${String(said)} and not ${version}`)
      return migrated
    })
  }

  #revalidated(value: unknown): Evolved {
    return { value, isMigrated: true, errors: this.#validate(value) }
  }
}

const untouched = (value: unknown): Evolved => ({ value, isMigrated: false, errors: [] })

const failed = (item: unknown, expected: string, error: unknown): Evolved =>
  wrong(item, [], expected, error instanceof Error ? error.message : String(error))

const wrong = (value: unknown, path: ReadonlyArray<string>, expected: string, got: string): Evolved => ({
  value,
  isMigrated: false,
  errors: [
    {
      path: path.map((part) => keyword(part)),
      expected,
      actual: keyword("error"),
      got,
      message: `${path.map((part) => `${part}: `).join("")}expected ${expected}, got ${got}`
    }
  ]
})

/** Goes on with a result, or with an error; but a spent budget is no fault of the item, and nothing to go on from. */
const attempt = (call: () => unknown, next: (value: unknown) => Later<Evolved>, recover: (error: unknown) => Evolved): Later<Evolved> => {
  const caught = (error: unknown): Evolved => {
    if ((error as { readonly kind?: unknown } | null)?.kind === "limit") throw error
    return recover(error)
  }
  let result: unknown
  try {
    result = call()
  } catch (error) {
    return caught(error)
  }
  return isPromise(result) ? result.then(next, caught) : next(result)
}

const isPromise = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === "object" && value !== null && typeof (value as Partial<PromiseLike<unknown>>).then === "function"

const keyOfItem = (item: unknown, key: string): unknown => {
  if (item instanceof Map) return item.get(key) ?? [...item].find(([name]) => isKeyword(name) && name.name === key)?.[1]
  return typeof item === "object" && item !== null && Object.hasOwn(item, key) ? (item as Record<string, unknown>)[key] : undefined
}

const withKey = (item: unknown, key: string, value: unknown): unknown => {
  if (item instanceof Map) return new Map([...item].filter(([name]) => !(isKeyword(name) && name.name === key))).set(key, value)
  if (typeof item !== "object" || item === null || Array.isArray(item)) return item
  // Defined and not assigned: `__proto__` is a key like any other.
  return Object.fromEntries([...Object.entries(item).filter(([name]) => name !== key), [key, value]])
}
