import type { DeadItem } from "../actors/index.ts"
import { errorType, textLimit, toText } from "../rtfs/index.ts"
import { decodeValue, encodeValue, UnencodableValue } from "../serialization/index.ts"
import type { NewDeadLetter, StoredDeadLetter } from "../state/index.ts"
import type { StoredItem } from "./DeadLetterAccess.ts"

export interface LetterHead {
  readonly stream: string
  /** The same in every process that goes on with the stream, and another one where it begins anew. */
  readonly run: string
  readonly time: number
}

/** An item as a letter. Nothing about an item can keep this from working: what can't be encoded is printed. */
export const encodeDeadLetter = (dead: DeadItem, { run, stream, time }: LetterHead): NewDeadLetter => {
  const { address, attempts, capability, item, node, place, queue, why } = dead
  const stage = { node, capability, actor: address }
  const rest = { error: errorOf(dead.cause), stage, stream, why, attempts, sequence: item, time }
  const kept = encodable({ value: dead.value }) ?? { printed: printed(dead.value) }
  const state = dead.state === undefined ? undefined : encodable({ state: dead.state })
  const letter = { format: 1, item: kept, ...rest, ...state }
  return { queue, stream, time, key: JSON.stringify([stream, run, node, place]), bytes: encodeValue(letter) }
}

/** **Fails** by throwing where the bytes are no letter. */
export const decodeDeadLetter = ({ bytes, id }: StoredDeadLetter): StoredItem => {
  const { format, ...letter } = decodeValue(bytes) as StoredItem & { readonly format: number }
  if (format !== 1) throw new Error(`Dead letter ${id} is of the format ${String(format)}, which this version can't read: use a newer one.`)
  return letter
}

const errorOf = (cause: unknown): StoredItem["error"] => {
  if (cause instanceof Error) return { name: cause.name, type: errorType(cause), message: withoutCredentials(cause.message) }
  return { name: "thrown", type: "thrown", message: withoutCredentials(typeof cause === "string" ? cause : printed(cause)) }
}

/** `redis://user:secret@host` becomes `redis://***@host`: messages of drivers like to repeat what they were given. */
export const withoutCredentials = (text: string): string => text.replaceAll(/([a-z][a-z0-9+.-]*:\/\/)[^\s/@]+@/gi, "$1***@")

const encodable = <Value>(value: Value): Value | undefined => {
  try {
    encodeValue(value)
    return value
  } catch (error) {
    if (error instanceof UnencodableValue || error instanceof Error) return undefined
    throw error
  }
}

/** More than this of an item that can't be encoded is not worth keeping. */
const mostPrinted = 10_000

const printed = (value: unknown): string => {
  try {
    return toText(value, textLimit()).slice(0, mostPrinted)
  } catch {
    return String(Object.prototype.toString.call(value))
  }
}
