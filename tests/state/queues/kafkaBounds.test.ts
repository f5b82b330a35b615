import { createServer, type AddressInfo } from "node:net"
import { compressionsAlgorithms as algorithms, ConnectionPool, metadataV2 } from "@platformatic/kafka"
import { afterEach, describe, expect, it } from "vitest"
import { boundAnswers, boundDecompression } from "../../../src/state/queues/kafkaBounds.ts"

const most = 100_000

// They are the package's own, for all of the process.
const untouched = Object.values(algorithms).map((algorithm) => ({ algorithm, ...algorithm }))
afterEach(() => {
  for (const { algorithm, decompressSync } of untouched) Object.assign(algorithm, { decompressSync })
})

describe("what a server of Kafka sends", () => {
  it.each(["gzip", "snappy", "lz4", "zstd"] as const)("is not decompressed beyond the bound: %s", (name) => {
    boundDecompression(algorithms, most)
    const small = Buffer.from("abc".repeat(1000))
    expect(algorithms[name].decompressSync(Buffer.from(algorithms[name].compressSync(small))).equals(small)).toBe(true)
    const bomb = Buffer.from(algorithms[name].compressSync(Buffer.alloc(3_000_000)))
    expect(() => algorithms[name].decompressSync(bomb)).toThrow(/100000|larger/)
  })

  it("is not decompressed beyond the bound: snappy in parts", () => {
    boundDecompression(algorithms, most)
    const part = Buffer.from(algorithms.snappy.compressSync(Buffer.alloc(30_000)))
    const length = Buffer.alloc(4)
    length.writeUInt32BE(part.length)
    const head = Buffer.concat([Buffer.from("\u0082SNAPPY\0", "latin1"), Buffer.alloc(8)])
    const parts = (count: number) => Buffer.concat([head, ...Array.from({ length: count }, () => [length, part]).flat()])
    expect(algorithms.snappy.decompressSync(parts(3)).length).toBe(90_000)
    expect(() => algorithms.snappy.decompressSync(parts(4))).toThrow("longer than 100000 bytes")
  })

  it.each([-1, 0, most + 1, 2 ** 31 - 1])("is not waited for where it is said to have %i bytes", async (bytes) => {
    let closed = 0
    const server = createServer((socket) => {
      socket.on("error", () => {}).on("close", () => closed++)
      socket.on("data", () => {
        const head = Buffer.alloc(4)
        head.writeInt32BE(bytes)
        // In two pieces, since a chunk may end anywhere.
        socket.write(head.subarray(0, 3))
        setImmediate(() => socket.write(Buffer.concat([head.subarray(3), Buffer.alloc(1000)])))
      })
    })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const pool = new ConnectionPool("test", { requestTimeout: 60_000 })
    pool.on("connecting", ({ connection }) => {
      connection.on("error", () => {})
      boundAnswers(connection, most)
    })
    try {
      const connection = await pool.get({ host: "127.0.0.1", port: (server.address() as AddressInfo).port })
      await expect(metadataV2.api.async(connection, ["t"])).rejects.toThrow(/closed|correlation|Connection|response/i)
      await expect.poll(() => closed).toBe(1)
    } finally {
      await pool.close()
      server.close()
    }
  })
})
