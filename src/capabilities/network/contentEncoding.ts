import type { ByteSource } from "../files/ByteSource.ts"
import { type Decompressor, decompressor } from "../files/Compression.ts"
import type { BodyBytes } from "./BodyBytes.ts"
import { NetworkFailure } from "./errors.ts"

/** What we can undo, as it is offered to peers. */
export const acceptedEncodings = "gzip, deflate, br, zstd"

/** Peers have reason for one; each further one multiplies what a few bytes may expand to. */
const mostEncodings = 2

/** Text compresses to a tenth, logs to a fiftieth. What expands more than this, beyond what fits in memory anyway, was made to. */
const mostExpansion = 200
const expansionFreeBytes = 16 * 1024 * 1024

/** RFC 9659: no peer may ask for more than 8 MB. */
const zstdWindowLog = 23

export interface DecodedBody extends ByteSource {
  /** Whether its bytes are those that came, so that their offsets are the peer's. */
  readonly isIdentity: boolean
  readonly close: () => void
}

/**
 * The bytes that the body of an answer stands for.
 *
 * **Fails** with `NetworkFailure` for an encoding that was not offered, and while it is read for damaged or cut off data
 * and for more than `mostBytes`; without that, for what expands more than 200 times.
 */
export const decodedBody = (
  body: BodyBytes,
  header: string | undefined,
  { mostBytes, url }: { readonly mostBytes: number | undefined; readonly url: string }
): DecodedBody => {
  const fail = (problem: string, fix: string, isTemporary = false) =>
    new NetworkFailure({ url, operation: "read from", problem, fix, isTemporary })
  const names = (header ?? "")
    .split(",")
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== "" && name !== "identity")
  if (names.length > mostEncodings)
    throw fail(`its answer is encoded ${names.length} times over (${names.join(", ")})`, `At most ${mostEncodings} encodings are undone.`)
  const opened: Array<Decompressor> = []
  const damaged = (problem: string) =>
    fail(`the compressed answer is damaged or cut off: ${problem}`, "What stood before the damage has been delivered. Try again.", true)
  const undo = (source: ByteSource, name: string): ByteSource => {
    if (name === "deflate") return lateDecompressor(source, url, damaged, opened)
    const known = ({ gzip: "gzip", "x-gzip": "gzip", br: "br", zstd: "zstd" } as const)[name]
    if (known === undefined)
      throw fail(`its answer has the encoding ${JSON.stringify(name)}, which was not asked for`, `Understood are ${acceptedEncodings}.`)
    const made = decompressor(source, known, url, { damaged, windowLog: zstdWindowLog })
    opened.push(made)
    return made
  }
  const source = names.reduceRight<ByteSource>(undo, body)
  let bytes = 0
  return {
    isIdentity: names.length === 0,
    close: () => opened.forEach((each) => each.close()),
    read: async (into, from, to) => {
      const count = await source.read(into, from, to)
      bytes += count
      if (bytes > (mostBytes ?? Infinity))
        throw fail(`its answer is longer than ${mostBytes} bytes`, "Raise :max-body-size if it is meant to be.")
      if (mostBytes === undefined && names.length > 0 && bytes > expansionFreeBytes && bytes > mostExpansion * body.received) {
        throw fail(
          `its answer expands to more than ${mostExpansion} times what came over the wire`,
          "Give :max-body-size if it is meant to: it replaces this bound."
        )
      }
      return count
    }
  }
}

/** `deflate` is data with a header of zlib, and from some peers without: the first bytes tell. */
const lateDecompressor = (
  source: ByteSource,
  url: string,
  damaged: (problem: string) => Error,
  opened: Array<Decompressor>
): ByteSource => {
  let made: Decompressor | undefined
  const start = async (): Promise<Decompressor> => {
    const head = Buffer.alloc(2)
    let held = 0
    while (held < 2) {
      const count = await source.read(head, held, 2)
      if (count === 0) break
      held += count
    }
    const isZlib = held === 2 && (head[0]! & 0x0f) === 8 && head.readUInt16BE() % 31 === 0
    let given = 0
    const whole: ByteSource = {
      read: async (into, from, to) => {
        if (given === held) return source.read(into, from, to)
        const count = head.copy(into, from, given, Math.min(held, given + to - from))
        given += count
        return count
      }
    }
    const started = decompressor(whole, isZlib ? "deflate" : "deflate-raw", url, { damaged })
    opened.push(started)
    return started
  }
  return { read: async (into, from, to) => (made ??= await start()).read(into, from, to) }
}
