import { ErrorValue } from "./ErrorValue.ts"
import { Keyword } from "./Keyword.ts"
import { isPlainMap } from "./MapKey.ts"
import { refused, tooLarge } from "./Refusal.ts"
import { maxDepth, maxIntegerBytes, maxItemBytes } from "./limits.ts"

/**
 * Our extension types. There are no others: what msgpackr and its like define (records, sets, regular expressions,
 * references) is refused, because decoding them builds objects that a sender chose.
 */
export const extension = { keyword: 1, integer: 2, error: 3, time: -1 } as const

/** Node's untyped writers and readers, several times faster than `write` and `toString` on short texts. */
export interface TextBuffer extends Buffer {
  utf8Write(text: string, offset: number, length?: number): number
  latin1Write(text: string, offset: number, length?: number): number
  utf8Slice(from: number, to: number): string
  latin1Slice(from: number, to: number): string
}

/**
 * Writes values as msgpack into one growing buffer.
 *
 * Why not msgpackr: it loses −0, reorders digit keys, renames `__proto__`, lets lone surrogates and functions through
 * and leaves the order of keys to chance, so that each value would have to be walked before and after it.
 *
 * `canonical` sorts the entries of maps, so that equal values give equal bytes; without it they keep their order.
 *
 * **Fails** with `UnencodableValue`; what was written so far is then without meaning, `rewind` forgets it.
 */
export class ValueWriter {
  bytes: TextBuffer
  view: DataView
  position = 0
  /** What stands before is finished and has readers: it is not moved when the buffer grows. */
  start = 0
  maxBytes = maxItemBytes
  readonly canonical: boolean
  #depth = 0

  constructor(options: { readonly canonical: boolean; readonly size: number }) {
    this.canonical = options.canonical
    this.bytes = Buffer.allocUnsafeSlow(options.size) as TextBuffer
    this.view = new DataView(this.bytes.buffer)
  }

  /** Starts again at `position`, also after a failure. */
  rewind(position: number): void {
    this.position = position
    this.#depth = 0
  }

  /** Makes room for `size` more bytes. */
  reserve(size: number): void {
    const needed = this.position + size
    if (needed <= this.bytes.length) return
    if (this.position - this.start > this.maxBytes) throw tooLarge
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.bytes.length * 2)) as TextBuffer
    this.bytes.copy(grown, this.start, this.start, this.position)
    this.bytes = grown
    this.view = new DataView(grown.buffer)
  }

  /** A copy of what was written since `from`, in an `ArrayBuffer` of its own. */
  copy(from: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.bytes.subarray(from, this.position))
  }

  value(value: unknown): void {
    if (this.position + 16 > this.bytes.length) this.reserve(16)
    switch (typeof value) {
      case "string":
        return this.text(value)
      case "number":
        return this.number(value)
      case "boolean":
        this.bytes[this.position++] = value ? 0xc3 : 0xc2
        return
      case "undefined": // RTFS knows one kind of nothing
        this.bytes[this.position++] = 0xc0
        return
      case "object":
        if (value === null) this.bytes[this.position++] = 0xc0
        else this.#object(value)
        return
      case "bigint":
        return this.#integer(value)
      default:
        throw refused
    }
  }

  /** A value that stands `depth` levels below its item. */
  nested(value: unknown, depth: number): void {
    this.#depth = depth
    this.value(value)
    this.#depth = 0
  }

  /** Bytes as they are. */
  raw(bytes: Uint8Array): void {
    this.reserve(bytes.length)
    this.bytes.set(bytes, this.position)
    this.position += bytes.length
  }

  number(value: number): void {
    const { bytes } = this
    if ((value | 0) === value && (value !== 0 || 1 / value > 0)) {
      if (value >= 0) {
        if (value < 0x80) bytes[this.position++] = value
        else if (value < 0x100) {
          bytes[this.position++] = 0xcc
          bytes[this.position++] = value
        } else if (value < 0x10000) {
          bytes[this.position++] = 0xcd
          bytes[this.position++] = value >> 8
          bytes[this.position++] = value
        } else {
          bytes[this.position] = 0xce
          this.view.setUint32(this.position + 1, value)
          this.position += 5
        }
      } else if (value >= -0x20) bytes[this.position++] = value
      else if (value >= -0x80) {
        bytes[this.position++] = 0xd0
        bytes[this.position++] = value
      } else if (value >= -0x8000) {
        bytes[this.position++] = 0xd1
        bytes[this.position++] = value >> 8
        bytes[this.position++] = value
      } else {
        bytes[this.position] = 0xd2
        this.view.setInt32(this.position + 1, value)
        this.position += 5
      }
    } else {
      bytes[this.position] = 0xcb
      // NaN has many bit patterns and equal values have one encoding.
      this.view.setFloat64(this.position + 1, value === value ? value : NaN)
      this.position += 9
    }
  }

  text(text: string): void {
    const length = text.length
    if (length > 64) return this.#longText(text)
    this.reserve(2 + length)
    const { bytes } = this
    let at = this.position + (length < 0x20 ? 1 : 2)
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i)
      if (code >= 0x80) return this.#longText(text)
      bytes[at++] = code
    }
    if (length < 0x20) bytes[this.position] = 0xa0 | length
    else {
      bytes[this.position] = 0xd9
      bytes[this.position + 1] = length
    }
    this.position = at
  }

  #longText(text: string): void {
    if (!text.isWellFormed()) throw refused
    this.reserve(5 + text.length * 3)
    const header = sizedHeader(text.length, 0x20)
    const length = this.bytes.utf8Write(text, this.position + header)
    const needed = sizedHeader(length, 0x20)
    if (needed !== header) this.bytes.copyWithin(this.position + needed, this.position + header, this.position + header + length)
    this.head(length, 0xa0, 0x20, 0xd9)
    this.position += length
  }

  /** A length in its shortest form: below `small` in the byte of the type, else in 8, 16 or 32 bits after it. */
  head(length: number, fix: number, small: number, byte8: number): void {
    const { bytes } = this
    if (length < small) bytes[this.position++] = fix | length
    else if (length < 0x100 && byte8 !== 0) {
      bytes[this.position++] = byte8
      bytes[this.position++] = length
    } else if (length < 0x10000) {
      bytes[this.position++] = byte8 === 0 ? fix16(fix) : byte8 + 1
      bytes[this.position++] = length >> 8
      bytes[this.position++] = length
    } else {
      bytes[this.position] = byte8 === 0 ? fix16(fix) + 1 : byte8 + 2
      this.view.setUint32(this.position + 1, length)
      this.position += 5
    }
  }

  binary(data: Uint8Array): void {
    this.reserve(5 + data.length)
    this.head(data.length, 0, 0, 0xc4)
    this.bytes.set(data, this.position)
    this.position += data.length
  }

  /** An extension of the type, whose payload is what `write` writes. */
  extended(type: number, write: () => void): void {
    this.reserve(16)
    const from = this.position
    this.position = from + 6 // the longest header; moved back below
    write()
    const length = this.position - from - 6
    const fixed = length === 1 || length === 2 || length === 4 || length === 8 || length === 16
    const header = fixed ? 2 : length < 0x100 ? 3 : length < 0x10000 ? 4 : 6
    const { bytes, view } = this
    if (header !== 6) bytes.copyWithin(from + header, from + 6, this.position)
    if (fixed) bytes[from] = 0xd4 + Math.log2(length)
    else if (header === 3) {
      bytes[from] = 0xc7
      bytes[from + 1] = length
    } else if (header === 4) {
      bytes[from] = 0xc8
      view.setUint16(from + 1, length)
    } else {
      bytes[from] = 0xc9
      view.setUint32(from + 1, length)
    }
    bytes[from + header - 1] = type
    this.position = from + header + length
  }

  #object(value: object): void {
    if (this.#depth++ >= maxDepth) throw refused
    if (Array.isArray(value)) this.#array(value)
    else if (value instanceof Keyword) this.extended(extension.keyword, () => this.#unmarked(value.name))
    else if (isPlainMap(value)) this.#map(value)
    else if (value instanceof Map) this.#entries(value)
    else if (value instanceof Uint8Array) this.binary(value)
    else if (value instanceof Date) this.#time(value)
    else if (value instanceof ErrorValue) this.#error(value)
    else if (value instanceof Error) this.#error(ErrorValue.of(value))
    else throw refused
    this.#depth--
  }

  #array(array: ReadonlyArray<unknown>): void {
    const { length } = array
    this.head(length, 0x90, 0x10, 0)
    for (let i = 0; i < length; i++) this.value(array[i])
  }

  #map(map: Record<string, unknown>): void {
    if (this.canonical) return this.#sorted(Object.keys(map).sort(), map)
    const from = this.position++
    let size = 0
    for (const key in map) {
      if (!Object.hasOwn(map, key)) continue
      this.text(key)
      this.value(map[key])
      size++
    }
    if (size < 0x10) this.bytes[from] = 0x80 | size
    else {
      // Rare enough that moving the entries is cheaper than counting the keys of every map first.
      this.reserve(4)
      const end = this.position
      const header = size < 0x10000 ? 3 : 5
      this.bytes.copyWithin(from + header, from + 1, end)
      this.position = from
      this.head(size, 0x80, 0x10, 0)
      this.position = end + header - 1
    }
  }

  #sorted(keys: ReadonlyArray<string>, map: Record<string, unknown>): void {
    this.head(keys.length, 0x80, 0x10, 0)
    for (const key of keys) {
      this.text(key)
      this.value(map[key])
    }
  }

  /**
   * A `Map`. Its keys are compared as RTFS compares them, so a keyword is the string of its name, and two keys that
   * become one (`"a"` and `:a`, two equal vectors) are refused rather than one of them lost.
   */
  #entries(map: ReadonlyMap<unknown, unknown>): void {
    const texts: Array<readonly [string, unknown]> = []
    const others: Array<readonly [Uint8Array, unknown]> = []
    const inOrder: Array<readonly [string | Uint8Array, unknown]> = []
    for (const [key, value] of map) {
      const name = key instanceof Keyword ? key.name : key
      if (typeof name === "string") inOrder.push(texts[texts.push([name, value]) - 1]!)
      else inOrder.push(others[others.push([this.#keyBytes(name), value]) - 1]!)
    }
    texts.sort((a, b) => (a[0] < b[0] ? -1 : a[0] === b[0] ? 0 : 1))
    others.sort((a, b) => Buffer.compare(a[0], b[0]))
    for (let i = 1; i < texts.length; i++) if (texts[i]![0] === texts[i - 1]![0]) throw refused
    for (let i = 1; i < others.length; i++) if (Buffer.compare(others[i]![0], others[i - 1]![0]) === 0) throw refused
    this.head(map.size, 0x80, 0x10, 0)
    for (const [key, value] of this.canonical ? [...texts, ...others] : inOrder) {
      if (typeof key === "string") this.text(key)
      else this.raw(key)
      this.value(value)
    }
  }

  /** The bytes by which a key that is no string is sorted and told from its neighbours. */
  #keyBytes(key: unknown): Uint8Array {
    const writer = new ValueWriter({ canonical: true, size: 64 })
    writer.#depth = this.#depth
    writer.value(key)
    return writer.bytes.subarray(0, writer.position)
  }

  /** Text without a header, as the payload of an extension. */
  #unmarked(text: string): void {
    if (!text.isWellFormed()) throw refused
    this.reserve(text.length * 3)
    this.position += this.bytes.utf8Write(text, this.position)
  }

  #integer(value: bigint): void {
    if (value >= -(2n ** 53n) && value <= 2n ** 53n) return this.number(Number(value))
    if (value >= -(2n ** 63n) && value < 2n ** 64n) {
      this.bytes[this.position] = value < 0n ? 0xd3 : 0xcf
      this.view.setBigUint64(this.position + 1, BigInt.asUintN(64, value))
      this.position += 9
      return
    }
    const magnitude = (value < 0n ? -value : value).toString(16)
    const size = (magnitude.length + 1) >> 1
    if (size > maxIntegerBytes) throw refused
    this.extended(extension.integer, () => {
      this.reserve(1 + size)
      this.bytes[this.position++] = value < 0n ? 1 : 0
      this.bytes.write(magnitude.padStart(size * 2, "0"), this.position, "hex")
      this.position += size
    })
  }

  /** The timestamp of the msgpack specification, in the shortest of its three forms. */
  #time(value: Date): void {
    const time = value.getTime()
    if (Number.isNaN(time)) throw refused
    const seconds = Math.floor(time / 1000)
    const nanoseconds = (time - seconds * 1000) * 1e6
    this.extended(extension.time, () => {
      const { position, view } = this
      if (seconds >= 0 && seconds < 2 ** 34) {
        if (nanoseconds === 0 && seconds < 2 ** 32) {
          view.setUint32(position, seconds)
          this.position += 4
        } else {
          view.setUint32(position, nanoseconds * 4 + Math.floor(seconds / 2 ** 32))
          view.setUint32(position + 4, seconds)
          this.position += 8
        }
      } else {
        this.reserve(12)
        this.view.setUint32(position, nanoseconds)
        this.view.setBigInt64(position + 4, BigInt(seconds))
        this.position += 12
      }
    })
  }

  #error(error: ErrorValue): void {
    this.extended(extension.error, () => {
      this.value([error.type, error.message, error.data, error.name])
    })
  }
}

const sizedHeader = (length: number, small: number): number => (length < small ? 1 : length < 0x100 ? 2 : length < 0x10000 ? 3 : 5)

/** Arrays and maps have no 8-bit form, and their 16-bit form is not beside the others. */
const fix16 = (fix: number): number => (fix === 0x90 ? 0xdc : 0xde)
