import { isUtf8 } from "node:buffer"
import { detachString } from "./Detach.ts"
import { MalformedBytes } from "./errors.ts"
import { ErrorValue } from "./ErrorValue.ts"
import { isKeyword, keyword } from "./Keyword.ts"
import { isPlainKey } from "./MapKey.ts"
import { maxDepth, maxIntegerBytes } from "./limits.ts"
import { extension, type TextBuffer } from "./ValueWriter.ts"

/**
 * Reads what `ValueWriter` writes, from bytes that anybody may have made.
 *
 * A declared length is compared with the bytes that are left before anything is allocated for it, and arrays grow as
 * their items arrive, so that time and memory stay proportional to the bytes given.
 *
 * `sharesText`: texts of 13 characters and more are slices of one text as long as the bytes. That is several times
 * faster, but one of them keeps all of it alive: right for items that come and go, wrong for state. See `detach`.
 *
 * **Fails** with `MalformedBytes`.
 */
export class ValueReader {
  readonly bytes: TextBuffer
  #dataView: DataView | undefined
  readonly #sharesText: boolean
  #latin: string | undefined
  position: number
  #depth = 0

  constructor(bytes: Uint8Array, options: { readonly from?: number; readonly sharesText: boolean }) {
    this.bytes = (Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)) as TextBuffer
    this.position = options.from ?? 0
    this.#sharesText = options.sharesText
  }

  /** Made when it is needed, since many small values need none. */
  get #view(): DataView {
    return (this.#dataView ??= new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength))
  }

  get isAtEnd(): boolean {
    return this.position === this.bytes.length
  }

  fail(problem: string, offset = this.position): never {
    throw new MalformedBytes({ problem, offset })
  }

  /** The length of the array that starts here, whose items follow one by one. */
  arrayHeader(): number {
    const token = this.#uint8()
    const length =
      (token & 0xf0) === 0x90
        ? token & 0x0f
        : token === 0xdc
          ? this.#uint16()
          : token === 0xdd
            ? this.#uint32()
            : this.fail("an array is expected", this.position - 1)
    if (length > this.bytes.length - this.position) this.#cutOff(length)
    return length
  }

  /** A text that starts here, in memory of its own. */
  ownText(): string {
    const token = this.#uint8()
    const length =
      (token & 0xe0) === 0xa0
        ? token & 0x1f
        : token === 0xd9
          ? this.#uint8()
          : token === 0xda
            ? this.#uint16()
            : token === 0xdb
              ? this.#uint32()
              : this.fail("a text is expected", this.position - 1)
    const from = this.#take(length)
    return this.utf8(from, from + length)
  }

  /** The bytes of a binary that starts here, in place. */
  view(): Uint8Array {
    if (this.#uint8() !== 0xc6) this.fail("a binary is expected", this.position - 1)
    const length = this.#uint32()
    const from = this.#take(length)
    return new Uint8Array(this.bytes.buffer, this.bytes.byteOffset + from, length)
  }

  value(): unknown {
    const token = this.bytes[this.position++]
    if (token === undefined) return this.#cutOff(1)
    if (token < 0x80) return token
    if (token < 0x90) return this.#map(token & 0x0f)
    if (token < 0xa0) return this.#array(token & 0x0f)
    if (token < 0xc0) return this.#text(token & 0x1f)
    if (token >= 0xe0) return token - 0x100
    switch (token) {
      case 0xc0:
        return null
      case 0xc2:
        return false
      case 0xc3:
        return true
      case 0xc4:
        return this.#binary(this.#uint8())
      case 0xc5:
        return this.#binary(this.#uint16())
      case 0xc6:
        return this.#binary(this.#uint32())
      case 0xc7:
        return this.#extended(this.#uint8())
      case 0xc8:
        return this.#extended(this.#uint16())
      case 0xc9:
        return this.#extended(this.#uint32())
      case 0xca:
        return this.#view.getFloat32(this.#take(4))
      case 0xcb:
        return this.#view.getFloat64(this.#take(8))
      case 0xcc:
        return this.#uint8()
      case 0xcd:
        return this.#uint16()
      case 0xce:
        return this.#uint32()
      case 0xcf:
        return asNumber(this.#view.getBigUint64(this.#take(8)))
      case 0xd0:
        return this.#view.getInt8(this.#take(1))
      case 0xd1:
        return this.#view.getInt16(this.#take(2))
      case 0xd2:
        return this.#view.getInt32(this.#take(4))
      case 0xd3:
        return asNumber(this.#view.getBigInt64(this.#take(8)))
      case 0xd4:
        return this.#extended(1)
      case 0xd5:
        return this.#extended(2)
      case 0xd6:
        return this.#extended(4)
      case 0xd7:
        return this.#extended(8)
      case 0xd8:
        return this.#extended(16)
      case 0xd9:
        return this.#text(this.#uint8())
      case 0xda:
        return this.#text(this.#uint16())
      case 0xdb:
        return this.#text(this.#uint32())
      case 0xdc:
        return this.#array(this.#uint16())
      case 0xdd:
        return this.#array(this.#uint32())
      case 0xde:
        return this.#map(this.#uint16())
      case 0xdf:
        return this.#map(this.#uint32())
      default:
        return this.fail("0xc1 starts no value", this.position - 1)
    }
  }

  #cutOff(size: number): never {
    return this.fail(`${size} bytes are announced and ${Math.max(0, this.bytes.length - this.position)} are left`)
  }

  /** Where the next `size` bytes start, which are taken by this. */
  #take(size: number): number {
    const from = this.position
    if (size > this.bytes.length - from) this.#cutOff(size)
    this.position = from + size
    return from
  }

  #uint8(): number {
    return this.bytes[this.#take(1)]!
  }

  #uint16(): number {
    return this.#view.getUint16(this.#take(2))
  }

  #uint32(): number {
    return this.#view.getUint32(this.#take(4))
  }

  #enter(): void {
    if (this.#depth++ >= maxDepth) this.fail(`values nest deeper than ${maxDepth} levels`)
  }

  #array(length: number): unknown {
    // An item takes a byte at least.
    if (length > this.bytes.length - this.position) this.#cutOff(length)
    this.#enter()
    const array: Array<unknown> = []
    for (let i = 0; i < length; i++) array.push(this.value())
    this.#depth--
    return array
  }

  #map(size: number): unknown {
    if (size * 2 > this.bytes.length - this.position) this.#cutOff(size * 2)
    this.#enter()
    const map: Record<string, unknown> = {}
    for (let i = 0; i < size; i++) {
      const key = this.#key()
      if (typeof key !== "string" || !isPlainKey(key)) return this.#entries(map, size - i, key)
      map[key] = this.value()
    }
    this.#depth--
    return map
  }

  /** The rest of a map that turned out to have a key which a plain object can't have. */
  #entries(start: Record<string, unknown>, left: number, firstKey: unknown): unknown {
    const map = new Map<unknown, unknown>(Object.entries(start))
    let key = firstKey
    for (let i = 0; i < left; i++) {
      if (i > 0) key = this.#key()
      map.set(isKeyword(key) ? key.name : key, this.value())
    }
    this.#depth--
    return map
  }

  /** Keys repeat from map to map, so short ones are looked up by their bytes instead of being made again. */
  #key(): unknown {
    const { bytes, position } = this
    const token = bytes[position]
    if (token === undefined || (token & 0xe0) !== 0xa0) return this.value()
    const length = token & 0x1f
    if (length > bytes.length - position - 1) return this.value()
    let hash = length
    for (let i = 1; i <= length; i++) hash = (hash * 31 + bytes[position + i]!) | 0
    const slot = hash & (knownKeys.length - 1)
    const known = knownKeys[slot]!
    if (known.length === length) {
      let i = 0
      while (i < length && known.charCodeAt(i) === bytes[position + i + 1]) i++
      if (i === length) {
        this.position = position + 1 + length
        return known
      }
    }
    const key = this.value() as string
    // Detached, since it outlives its frame. One that is no ASCII differs from its bytes and is just never found.
    knownKeys[slot] = detachString(key)
    return key
  }

  #text(length: number): string {
    const from = this.#take(length)
    const end = from + length
    const { bytes } = this
    if (length < 24 || this.#sharesText) {
      let bits = 0
      for (let i = from; i < end; i++) bits |= bytes[i]!
      if (bits < 0x80) {
        if (!this.#sharesText) return bytes.latin1Slice(from, end)
        return (this.#latin ??= bytes.latin1Slice(0, bytes.length)).substring(from, end)
      }
    }
    return this.utf8(from, end)
  }

  /** Text that is checked to be Unicode: invalid UTF-8 is never turned into U+FFFD. */
  utf8(from: number, end: number): string {
    const text = this.bytes.utf8Slice(from, end)
    if (text.includes("\uFFFD") && !isUtf8(this.bytes.subarray(from, end))) this.fail("the text is not UTF-8", from)
    return text
  }

  #binary(length: number): Uint8Array {
    const from = this.#take(length)
    return new Uint8Array(this.bytes.subarray(from, from + length))
  }

  #extended(length: number): unknown {
    const type = this.#view.getInt8(this.#take(1))
    const from = this.position
    if (length > this.bytes.length - from) this.#cutOff(length)
    switch (type) {
      case extension.keyword:
        this.position += length
        return keyword(this.utf8(from, from + length))
      case extension.integer:
        this.position += length
        return this.#integer(from, length)
      case extension.time:
        this.position += length
        return this.#time(from, length)
      case extension.error:
        return this.#error(from + length)
      default:
        return this.fail(`${type} is none of the extension types of rtfs-streams`, from)
    }
  }

  #integer(from: number, length: number): unknown {
    const sign = this.bytes[from]
    if (length < 2 || length > maxIntegerBytes + 1 || sign! > 1) this.fail("a big integer is malformed", from)
    const magnitude = BigInt(`0x${this.bytes.toString("hex", from + 1, from + length)}`)
    return asNumber(sign === 1 ? -magnitude : magnitude)
  }

  #time(from: number, length: number): Date {
    const view = this.#view
    let seconds: number
    let nanoseconds = 0
    if (length === 4) seconds = view.getUint32(from)
    else if (length === 8) {
      const high = view.getUint32(from)
      nanoseconds = high >>> 2
      seconds = (high & 3) * 2 ** 32 + view.getUint32(from + 4)
    } else if (length === 12) {
      nanoseconds = view.getUint32(from)
      seconds = Number(view.getBigInt64(from + 4))
    } else return this.fail("a time is malformed", from)
    if (nanoseconds > 999_999_999 || nanoseconds % 1e6 !== 0) this.fail("a time is not in whole milliseconds", from)
    const time = new Date(seconds * 1000 + nanoseconds / 1e6)
    if (Number.isNaN(time.getTime())) this.fail("a time is out of range", from)
    return time
  }

  #error(end: number): ErrorValue {
    this.#enter()
    const from = this.position
    const fields = this.value()
    if (this.position !== end || !Array.isArray(fields) || fields.length !== 4) this.fail("an error is malformed", from)
    const [type, message, data, name] = fields as [unknown, unknown, unknown, unknown]
    if (!isKeyword(type) || typeof message !== "string" || (name !== null && typeof name !== "string"))
      return this.fail("an error is malformed", from)
    this.#depth--
    return new ErrorValue({ type, message, data, name })
  }
}

/** Integers within ±2^53 are numbers, others big integers, whichever form the sender chose. */
const asNumber = (value: bigint): number | bigint => (value >= -(2n ** 53n) && value <= 2n ** 53n ? Number(value) : value)

// Bounded by its length, whatever keys arrive; a collision only costs making the key again.
const knownKeys: Array<string> = Array.from({ length: 1024 }, () => "")
