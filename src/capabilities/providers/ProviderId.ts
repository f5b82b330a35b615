/** The parts of an id such as `com.example:v1.0:data-feed`. */
export interface ProviderId {
  /** The id without its version: `com.example:data-feed`. */
  readonly name: string
  /** `[1, 0]`; undefined where the id has none. */
  readonly version: ReadonlyArray<number> | undefined
  /** Whether something follows the numbers (`v2.0-rc1`): such a version comes before the one without it. */
  readonly isEarly: boolean
}

const longest = 256

/** Reads an id; `undefined` where it is none: empty, too long, or with spaces and other characters in it. */
export const parseProviderId = (id: string): ProviderId | undefined => {
  if (id.length > longest || !/^[A-Za-z0-9_][A-Za-z0-9_.:/+-]*$/.test(id)) return undefined
  const parts = id.split(":")
  const at = parts.findIndex((part) => /^v\d/.test(part))
  if (at < 0) return { name: id, version: undefined, isEarly: false }
  const [, numbers, rest] = /^v(\d+(?:\.\d+)*)(.*)$/.exec(parts[at]!)!
  return {
    name: parts.filter((_, index) => index !== at).join(":"),
    version: numbers!.split(".").map(Number),
    isEarly: rest !== ""
  }
}

/** Orders versions, the newest last; what has none comes first, and what is left out counts as 0. */
export const compareVersions = (a: ProviderId, b: ProviderId): number => {
  if (a.version === undefined || b.version === undefined) return Number(a.version !== undefined) - Number(b.version !== undefined)
  for (let part = 0; part < Math.max(a.version.length, b.version.length); part++) {
    const difference = (a.version[part] ?? 0) - (b.version[part] ?? 0)
    if (difference !== 0) return difference
  }
  return Number(b.isEarly) - Number(a.isEarly)
}

/** Whether `id` is what someone means who asks for `wanted`: the same name, and a version that begins like the one asked for. */
export const answersTo = (id: ProviderId, wanted: ProviderId): boolean =>
  id.name === wanted.name && (wanted.version === undefined || wanted.version.every((part, index) => id.version?.[index] === part))
