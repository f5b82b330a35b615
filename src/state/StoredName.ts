import { createHash } from "node:crypto"

/**
 * Writes a name so that every store can hold it: zero characters and halves of surrogate pairs, which no UTF-8 has, are
 * written out. Different names stay different.
 */
export const storedName = (name: string): string =>
  name.replaceAll(unstorable, (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, "0")}`)

export const nameOfStored = (stored: string): string =>
  stored.replaceAll(/\\u([0-9a-f]{4})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)))

/** With the `u` flag a surrogate is matched only where it is no half of a pair. */
const unstorable = /[\0\\\p{Surrogate}]/gu

/** Of a fixed size, for keys and indexes: names may be as long as they like. */
export const digestOf = (...names: ReadonlyArray<string>): Buffer =>
  createHash("sha256")
    .update(JSON.stringify(names.map(storedName)))
    .digest()
