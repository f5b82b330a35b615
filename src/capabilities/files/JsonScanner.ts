/** How deep a JSON value may be nested: as deep as a frame can carry it. */
export const maxJsonDepth = 512

/** Why the scanner stopped. `broken` means that no JSON goes on here; parsing the record says how. */
export type ScanStop = "separator" | "close" | "end" | "broken"

const quote = 0x22
const backslash = 0x5c
const colon = 0x3a
const comma = 0x2c
const lineFeed = 0x0a

/** What a byte means outside of strings. */
const plain = 0
const starts = 1
const opens = 2
const closes = 3
const digit = 4
const separates = 5
const breaksLine = 6
const names = 7

const meaning = new Uint8Array(256)
meaning[quote] = starts
for (const byte of Buffer.from("[{")) meaning[byte] = opens
for (const byte of Buffer.from("]}")) meaning[byte] = closes
for (const byte of Buffer.from("0123456789")) meaning[byte] = digit
meaning[comma] = separates
meaning[colon] = names
meaning[lineFeed] = breaksLine

/** Bytes that end the run of plain bytes in a string: the quote, the backslash and what must be escaped. */
const stopsInString = new Uint8Array(256).fill(1, 0, 0x20)
stopsInString[quote] = 1
stopsInString[backslash] = 1

/**
 * Finds where JSON records end, byte by byte and without parsing them, at several times the speed of `JSON.parse`.
 *
 * It may stop anywhere (also inside a string or an escape) and go on with the next bytes. Where it finds a separator
 * all brackets before it are closed and all strings are ended, so that records which are parsed together can't run into
 * each other. It also tells which records `JSON.parse` would not read as we promise: see `special`.
 */
export class JsonScanner {
  /**
   * The current record may hold an integer outside ±2^53, a key that JavaScript treats in its own way, or half a
   * surrogate pair. When in doubt it is set: such a record is parsed by `parseJson`, slower and exact.
   */
  special = false
  /** Line ends passed so far, and where in the input the line in which the scanner stands begins. */
  lines = 0
  lineStart = 0
  readonly #separator: number
  #depth = 0
  #inString = false
  #afterBackslash = false
  /** The last string looked like a key to be careful with; a colon behind it makes it one. */
  #suspect = false
  #digits = 0

  constructor(separator: "comma" | "line-feed") {
    this.#separator = separator === "comma" ? comma : lineFeed
  }

  /** The index at which the last `scan` stopped: of the separator, the bracket or the byte that breaks it. */
  at = 0

  /** Starts a new record behind a separator. */
  next(): void {
    this.special = false
    this.#suspect = false
    this.#digits = 0
  }

  /** @param offset where in the input `bytes[0]` stands */
  scan(bytes: Uint8Array, from: number, to: number, offset: number): ScanStop {
    let i = from
    if (this.#inString) {
      i = this.#skipString(bytes, i, to)
      if (this.#inString) return this.#stop(i < to ? "broken" : "end", i)
    }
    let depth = this.#depth
    let suspect = this.#suspect
    let stop: ScanStop = "end"
    scanning: for (; i < to; i++) {
      switch (meaning[bytes[i]!]) {
        case plain:
          break
        case digit: {
          const start = i
          while (i < to && meaning[bytes[i]!] === digit) i++
          const count = i - start + (start === from ? this.#digits : 0)
          this.#digits = i === to ? count : 0
          // Digits of a fraction are no concern: only an integer of 16 digits or more may be outside ±2^53.
          if (count >= 16 && !(start > 0 && bytes[start - 1] === 0x2e)) this.special = true
          i--
          break
        }
        case starts: {
          suspect = isSuspect(bytes, i + 1, to)
          let end = i + 1
          while (end < to && stopsInString[bytes[end]!] === 0) end++
          if (end < to && bytes[end] === quote) {
            i = end
            break
          }
          this.#inString = true
          this.#suspect = suspect
          i = this.#skipString(bytes, end, to)
          suspect = this.#suspect
          if (this.#inString) {
            if (i < to) stop = "broken"
            break scanning
          }
          i--
          break
        }
        case names:
          // Only white space may stand between a key and its colon; anything else makes broken JSON anyway.
          if (suspect) this.special = true
          break
        case opens:
          if (++depth <= maxJsonDepth) break
          stop = "broken"
          break scanning
        case closes:
          if (depth-- > 0) break
          depth = 0
          stop = bytes[i] === 0x5d && this.#separator === comma ? "close" : "broken"
          break scanning
        case separates:
          suspect = false
          if (depth > 0) break
          stop = this.#separator === comma ? "separator" : "broken"
          break scanning
        case breaksLine:
          this.lines++
          this.lineStart = offset + i + 1
          if (this.#separator === comma) break
          stop = depth === 0 ? "separator" : "broken"
          break scanning
      }
    }
    this.#depth = depth
    this.#suspect = suspect
    return this.#stop(stop, i)
  }

  #stop(why: ScanStop, at: number): ScanStop {
    this.at = at
    return why
  }

  /** Goes on inside a string: to behind its closing quote, to `to`, or to a byte that no string may hold. */
  #skipString(bytes: Uint8Array, from: number, to: number): number {
    let i = from
    if (this.#afterBackslash && i < to) {
      i++
      this.#afterBackslash = false
    }
    for (;;) {
      while (i < to && stopsInString[bytes[i]!] === 0) i++
      if (i >= to) return to
      const byte = bytes[i]!
      if (byte === quote) {
        this.#inString = false
        return i + 1
      }
      if (byte !== backslash) return i
      // An escape in a key may spell any name.
      this.#suspect = true
      if (mayBeLoneSurrogate(bytes, i, to)) this.special = true
      if (i + 1 >= to) {
        this.#afterBackslash = true
        return to
      }
      i += isSurrogatePair(bytes, i, to) ? 12 : 2
    }
  }
}

/** Whether the string from `from` may be a key of digits only, or `__proto__`. */
const isSuspect = (bytes: Uint8Array, from: number, to: number): boolean => {
  if (from >= to) return true
  const first = bytes[from]!
  if (meaning[first] === digit) {
    let i = from + 1
    while (i < to && meaning[bytes[i]!] === digit) i++
    return i >= to || bytes[i] === quote || bytes[i] === backslash
  }
  return first === 0x5f && (from + 1 >= to || bytes[from + 1] === 0x5f)
}

const hexDigit = (byte: number | undefined): number => {
  if (byte === undefined) return -1
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const letter = byte | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1
}

/** The unit that the escape at `at` (`\uXXXX`) stands for, -1 where it is none. */
const escapedUnit = (bytes: Uint8Array, at: number): number => {
  if (bytes[at] !== backslash || bytes[at + 1] !== 0x75) return -1
  let unit = 0
  for (let i = at + 2; i < at + 6; i++) {
    const value = hexDigit(bytes[i])
    if (value < 0) return -1
    unit = unit * 16 + value
  }
  return unit
}

const isSurrogatePair = (bytes: Uint8Array, at: number, to: number): boolean => {
  if (at + 12 > to) return false
  const high = escapedUnit(bytes, at)
  if (high < 0xd800 || high > 0xdbff) return false
  const low = escapedUnit(bytes, at + 6)
  return low >= 0xdc00 && low <= 0xdfff
}

/** An escape of half a pair that is not the first half of a whole one. Cut off by the end of the bytes, it may be one. */
const mayBeLoneSurrogate = (bytes: Uint8Array, at: number, to: number): boolean => {
  if (at + 1 < to && bytes[at + 1] !== 0x75) return false
  if (at + 12 > to) return true
  const unit = escapedUnit(bytes, at)
  return unit >= 0xd800 && unit <= 0xdfff && !isSurrogatePair(bytes, at, to)
}
