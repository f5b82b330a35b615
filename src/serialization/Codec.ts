import { MalformedBytes } from "./errors.ts"
import { maxItemBytes } from "./limits.ts"
import { ValueReader } from "./ValueReader.ts"
import { refusal } from "./Refusal.ts"
import { ValueWriter } from "./ValueWriter.ts"

/**
 * Writes one RTFS value as msgpack that stands for itself: equal values give equal bytes, so that they can be hashed,
 * compared and stored.
 *
 * `undefined` becomes nil, an `Error` an `ErrorValue` without its stack, a null-prototype object a plain map.
 *
 * @param options.maxBytes more than so many are refused, roughly; by default what one item may take
 * @returns bytes in an `ArrayBuffer` of their own, free to be transferred
 *
 * **Fails** with `UnencodableValue` for functions, host objects, class instances, text with half a surrogate pair,
 * invalid dates and more than 512 levels (a value that holds itself has endlessly many).
 * **Cost** sorts the keys of each map; a `FrameEncoder` does not and is several times faster.
 */
export const encodeValue = (value: unknown, { maxBytes = maxItemBytes }: { readonly maxBytes?: number } = {}): Uint8Array<ArrayBuffer> => {
  // A getter or proxy of the host runs during the walk and may encode, too.
  const writer = idle ?? new ValueWriter({ canonical: true, size: 1024 })
  idle = undefined
  writer.maxBytes = maxBytes
  try {
    writer.value(value)
    return writer.copy(0)
  } catch (error) {
    throw refusal(error, value, "value", { maxBytes })
  } finally {
    writer.rewind(0)
    // A buffer that one huge value needed is not kept for the small ones.
    idle = writer.bytes.length <= 256 * 1024 ? writer : undefined
  }
}

let idle: ValueWriter | undefined

/**
 * Reads one value, from bytes that anybody may have made.
 *
 * A map becomes a plain object, or a `Map` where it has a key that is no string, `__proto__` or digits only. Of equal
 * keys the last one counts.
 *
 * **Fails** with `MalformedBytes`: cut off, followed by more, nested deeper than 512 levels, text that is no UTF-8, an
 * extension type that is not ours.
 * **Cost** time and memory in proportion to the bytes, whatever lengths they declare.
 */
export const decodeValue = (bytes: Uint8Array): unknown => {
  const reader = new ValueReader(bytes, { sharesText: false })
  const value = reader.value()
  if (!reader.isAtEnd) throw new MalformedBytes({ problem: "more bytes follow the value", offset: reader.position })
  return value
}
