// The few instructions of WebAssembly that the scanners of bytes are made of, as functions that give their bytes.
//
// Source: WebAssembly Core Specification 2.0, "Binary Format".

/** Instructions, or any other part of a module, as bytes. */
export type Code = ReadonlyArray<number>

export const i32 = 0x7f
export const i64 = 0x7e
const noResult = 0x40
export const end = 0x0b

/** A number as the format writes it, in 7 bits a byte. One without a sign may have a byte more than it needs. */
export const leb = (value: number): Code => {
  const low = value & 0x7f
  const rest = value >> 7
  const isLast = (rest === 0 && low < 0x40) || (rest === -1 && low >= 0x40)
  return isLast ? [low] : [low | 0x80, ...leb(rest)]
}
export const sized = (bytes: Code): Code => [...leb(bytes.length), ...bytes]
export const vector = (...items: ReadonlyArray<Code>): Code => [...leb(items.length), ...items.flat()]
export const section = (id: number, bytes: Code): Code => [id, ...sized(bytes)]
export const name = (text: string): Code => sized([...Buffer.from(text)])

/** An instruction behind what it works on. */
const instruction =
  (...opcode: Code) =>
  (...operands: ReadonlyArray<Code>): Code => [...operands.flat(), ...opcode]

export const constant = (value: number): Code => [0x41, ...leb(value)]
export const constant64 = (value: number): Code => [0x42, ...leb(value)]
export const get = (local: number): Code => [0x20, local]
export const set = (local: number, value: Code): Code => [...value, 0x21, local]
export const equal = instruction(0x46)
export const differs = instruction(0x47)
export const below = instruction(0x49)
export const add = instruction(0x6a)
export const minus = instruction(0x6b)
export const and = instruction(0x71)
export const or = instruction(0x72)
export const xor = instruction(0x73)
export const shiftLeft = instruction(0x74)
/** Of 64 bits, as the next one. */
export const trailingZeros = instruction(0x7a)
export const ones = instruction(0x7b)
export const below64 = instruction(0x54)
export const add64 = instruction(0x7c)
export const minus64 = instruction(0x7d)
export const and64 = instruction(0x83)
export const or64 = instruction(0x84)
export const xor64 = instruction(0x85)
export const shiftLeft64 = instruction(0x86)
/** The highest bit fills what it leaves. */
export const shiftSigned64 = instruction(0x87)
export const shiftRight64 = instruction(0x88)
/** The lower half of 64 bits, and 32 bits as the lower half. */
export const low = instruction(0xa7)
export const widened = instruction(0xad)
export const isSome = instruction(0x50, 0x45)
export const byteAt = instruction(0x2d, 0, 0)
export const numberAt = (offset: number, address: Code): Code => [...address, 0x28, 2, ...leb(offset)]
export const storeByteAt = (address: Code, value: Code): Code => [...address, ...value, 0x3a, 0, 0]
export const storeAt = (offset: number, address: Code, value: Code): Code => [...address, ...value, 0x36, 2, ...leb(offset)]

export const load16 = (offset: number, address: Code): Code => [...address, 0xfd, 0x00, 0, ...leb(offset)]
export const store16 = (address: Code, bytes: Code): Code => [...address, ...bytes, 0xfd, 0x0b, 0, 0]
export const everyByte = (value: number): Code => [...constant(value), 0xfd, 0x0f]
export const sameBytes = instruction(0xfd, 0x23)
export const aboveSigned = instruction(0xfd, 0x27)
export const aboveUnsigned = instruction(0xfd, 0x28)
export const belowUnsigned = instruction(0xfd, 0x26)
export const andBits = instruction(0xfd, 0x4e)
export const xorBits = instruction(0xfd, 0x51)
export const isAnyBit = instruction(0xfd, 0x53)
export const orBits = instruction(0xfd, 0x50)
export const minusBytes = instruction(0xfd, 0x71)
export const bitOfEach = instruction(0xfd, 0x64)

/** Sets a bit of the local `bits` for each of the 64 bytes at the address in the local `at` for which the test holds. */
export const among64 = (bits: number, at: number, test: (sixteen: Code) => Code): Code =>
  [0, 16, 32, 48].flatMap((offset) => {
    const found = widened(bitOfEach(test(load16(offset, get(at)))))
    return set(bits, offset === 0 ? found : or64(get(bits), shiftLeft64(found, constant64(offset))))
  })

export const when = (condition: Code, code: Code): Code => [...condition, 0x04, noResult, ...code, end]
/** Runs the code, and again while the condition behind it holds. */
export const repeat = (code: Code, again: Code): Code => [0x03, noResult, ...code, ...again, 0x0d, 0, end]

/** The part of it that is used here: the libraries for Node have no types for it. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (module: object) => { readonly exports: Readonly<Record<string, unknown>> }
}

/** Whether there is WebAssembly: it is missing where V8 may not make machine code. */
export const canInstantiate = (): boolean => typeof WebAssembly !== "undefined"

/** Makes an instance of a module that exports its memory as `m`, and functions. */
export const instantiate = (
  module: Uint8Array
): { readonly buffer: ArrayBuffer; readonly functions: Readonly<Record<string, (...numbers: ReadonlyArray<number>) => number>> } => {
  const { m, ...functions } = new WebAssembly.Instance(new WebAssembly.Module(module)).exports as {
    readonly m: { readonly buffer: ArrayBuffer }
  }
  return { buffer: m.buffer, functions }
}
