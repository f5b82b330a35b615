import type { Socket } from "node:net"
import { gunzipSync, zstdDecompressSync } from "node:zlib"
import type { Connection } from "@platformatic/kafka"

/** More than that no answer may take, and no batch of records once it is decompressed. We ask for 4 MB; a larger message comes alone. */
export const mostKafkaBytes = 64 * 1024 * 1024

type Compressions = (typeof import("@platformatic/kafka"))["compressionsAlgorithms"]

/**
 * Lets the package decompress no more than `mostKafkaBytes` of a batch: 1 MB of zeros are 1 KB, and the package makes room for
 * whatever comes out.
 */
export const boundDecompression = (algorithms: Compressions, most: number = mostKafkaBytes): void => {
  const use = (of: "gzip" | "snappy" | "lz4" | "zstd", decompressSync: (data: Data) => Buffer) =>
    Object.assign(algorithms[of], { decompressSync })
  const bounded = (of: "lz4" | "snappy", sizeOf: (bytes: Buffer) => number) => {
    const { decompressSync: decompress } = algorithms[of]
    use(of, (data) => {
      const bytes = bytesOf(data)
      if (sizeOf(bytes) > most) throw new Error(`a batch is longer than ${most} bytes`)
      return decompress(bytes)
    })
  }
  use("gzip", (data) => gunzipSync(bytesOf(data), { maxOutputLength: most }))
  use("zstd", (data) => zstdDecompressSync(bytesOf(data), { maxOutputLength: most }))
  bounded("snappy", snappySize)
  bounded("lz4", lz4Size)
}

type Data = Parameters<Compressions["gzip"]["decompressSync"]>[0]

const bytesOf = (data: Data): Buffer => (Buffer.isBuffer(data) ? data : data.buffer)

const xerialHeader = Buffer.from("\u0082SNAPPY\0", "latin1")

/** What it says itself that it will be; with the header of Xerial, all of its parts. */
const snappySize = (bytes: Buffer): number => {
  if (!bytes.subarray(0, xerialHeader.length).equals(xerialHeader)) return varint(bytes, 0)
  let size = 0
  for (let at = 16; at + 4 <= bytes.length; at += 4 + bytes.readUInt32BE(at)) size += varint(bytes, at + 4)
  return size
}

const varint = (bytes: Buffer, from: number): number => {
  let value = 0
  for (let at = 0; at < 5; at++) {
    const byte = bytes[from + at] ?? 0
    value += (byte & 0x7f) * 2 ** (7 * at)
    if (byte < 0x80) break
  }
  return value
}

/** At most: as if each block were full. Source: LZ4 Frame Format 1.6.4. */
const lz4Size = (bytes: Buffer): number => {
  const [flags = 0, descriptor = 0] = bytes.subarray(4, 6)
  const [hasBlockChecksums, hasSize, hasDictionary] = [flags & 0x10, flags & 0x08, flags & 0x01]
  const blockBytes = 2 ** (8 + 2 * ((descriptor >> 4) & 7))
  let size = 0
  let at = 7 + (hasSize === 0 ? 0 : 8) + (hasDictionary === 0 ? 0 : 4)
  for (; at + 4 <= bytes.length; size += blockBytes) {
    const length = bytes.readUInt32LE(at) & 0x7fff_ffff
    if (length === 0) break
    at += 4 + length + (hasBlockChecksums === 0 ? 0 : 4)
  }
  return size
}

/** Breaks a connection off whose next answer would be longer than `mostKafkaBytes`; the package would wait for all of it. */
export const boundAnswers = (connection: Connection, most: number = mostKafkaBytes): void =>
  // The package makes the socket behind this event, at once.
  queueMicrotask(() => {
    const socket = connection.socket as Socket | undefined
    const head: Array<number> = []
    /** What is left of the answer at hand. */
    let left = 0
    socket?.on("data", (chunk: Buffer) => {
      for (let at = 0; at < chunk.length;) {
        if (left > 0) {
          const passed = Math.min(left, chunk.length - at)
          left -= passed
          at += passed
          continue
        }
        head.push(chunk[at++]!)
        if (head.length < 4) continue
        left = Buffer.from(head).readInt32BE(0)
        head.length = 0
        if (left < 4 || left > most) return void socket.destroy(new Error(`an answer has ${left} bytes, of at most ${most}`))
      }
    })
  })
