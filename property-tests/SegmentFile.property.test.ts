import assert from "node:assert/strict"
import fc from "fast-check"
import { describe, it } from "vitest"
import { DamagedSegment, SegmentFailed, SegmentLog, type SegmentLogOptions, type SegmentRecord } from "../src/serialization/index.ts"
import { MemoryDisk } from "./models/MemoryDisk.ts"

const numRuns = Number(process.env["FC_RUNS"] ?? 200)

const payloadOf = (sequence: number, size: number): Uint8Array => Uint8Array.from({ length: size }, (_, i) => sequence * 31 + i)

const open = (disk: MemoryDisk, options: Partial<SegmentLogOptions> = {}): Promise<SegmentLog> =>
  SegmentLog.open({ directory: "/spill", name: "orders", segmentBytes: 300, bufferBytes: 128, storage: disk, ...options })

const readAll = async (log: SegmentLog): Promise<Array<SegmentRecord>> => {
  const reader = log.read()
  const records: Array<SegmentRecord> = []
  for (let record = await reader.next(); record !== undefined; record = await reader.next()) records.push(record)
  return records
}

const assertRecords = (records: ReadonlyArray<SegmentRecord>, sizes: ReadonlyArray<number>, first = 0): void =>
  assert.deepStrictEqual(
    records,
    sizes.map((size, i) => ({ sequence: first + i, payload: payloadOf(first + i, size) }))
  )

const sizes = fc.array(fc.oneof(fc.nat(40), fc.constantFrom(0, 100, 112, 113, 200, 500)), { minLength: 1, maxLength: 12 })

/** A disk that holds a log with these records, in one segment if asked for. */
const written = async (recordSizes: ReadonlyArray<number>, options: Partial<SegmentLogOptions> = {}): Promise<MemoryDisk> => {
  const disk = new MemoryDisk()
  const log = await open(disk, options)
  for (const [i, size] of recordSizes.entries()) await log.append(i, payloadOf(i, size))
  await log.close()
  return disk
}

type Step = { readonly do: "append"; readonly size: number } | { readonly do: "flush" | "sync" | "read" | "drop" | "crash" | "pause" }

const steps: fc.Arbitrary<Array<Step>> = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant("append" as const), size: fc.oneof(fc.nat(60), fc.constantFrom(112, 300)) }) },
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constantFrom("flush" as const, "sync" as const, "read" as const, "read" as const, "drop" as const, "pause" as const)
      })
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("crash" as const) }) }
  ),
  { maxLength: 60, size: "max" }
)

describe("SegmentLog", () => {
  it("SP-1, SP-3: gives back what was appended in its order, through failures of the disk, drops and crashes", () =>
    fc.assert(
      fc.asyncProperty(
        steps,
        fc.array(fc.nat(60), { maxLength: 12 }),
        fc.constantFrom("ENOSPC", "EIO"),
        fc.constantFrom(0, 0.5, 1),
        async (script, failing, code, partial) => {
          const disk = new MemoryDisk()
          disk.partial = partial
          let log = await open(disk)
          const appended: Array<number> = []
          let consumed = 0
          let flushed = 0
          let reader = log.read()
          disk.fault = (operation, count) => (!/read|sync/.test(operation) && failing.includes(count) ? code : undefined)
          /** Failures are transient here: the caller tries again until it works, as a mailbox does. */
          const insist = async <A>(run: () => Promise<A>): Promise<A> => {
            for (;;) {
              try {
                return await run()
              } catch (error) {
                assert.ok(error instanceof SegmentFailed && error.code === code, String(error))
              }
            }
          }
          for (const step of script) {
            if (step.do === "append") {
              const sequence = appended.length
              await insist(() => log.append(sequence, payloadOf(sequence, step.size)))
              appended.push(step.size)
            } else if (step.do === "flush") {
              await insist(() => log.flush())
              flushed = appended.length
            } else if (step.do === "sync") {
              await insist(() => log.sync())
              flushed = appended.length
            } else if (step.do === "read") {
              const record = await reader.next()
              if (consumed < appended.length) assertRecords([record!], [appended[consumed]!], consumed)
              else assert.equal(record, undefined)
              if (record !== undefined) consumed++
            } else if (step.do === "drop") {
              await insist(() => log.dropBefore(reader.position))
              assert.equal(log.start.segment, Math.min(reader.position.segment, log.end.segment))
              const onDisk = Array.from(disk.files.values()).reduce((sum, file) => sum + file.content.length, 0)
              assert.ok(onDisk <= log.byteLength + 300 + 16, "what was dropped takes no room")
            } else if (step.do === "pause") await new Promise((resolve) => setImmediate(resolve))
            else {
              // The process dies. What the system was given is there; a write under way may be, in part.
              await new Promise((resolve) => setImmediate(resolve))
              disk.fault = () => undefined
              log = await open(disk)
              const left = await readAll(log)
              const first = left[0]?.sequence ?? flushed
              assert.ok(first <= consumed, "a record that nobody consumed is missing")
              assert.ok(first + left.length >= flushed, "a flushed record is missing")
              assertRecords(left, appended.slice(first, first + left.length), first)
              appended.length = first + left.length
              consumed = flushed = appended.length
              reader = log.read(log.end)
            }
          }
          disk.fault = () => undefined
          const rest = []
          for (let record = await reader.next(); record !== undefined; record = await reader.next()) rest.push(record)
          assertRecords(rest, appended.slice(consumed), consumed)
          await log.remove()
          assert.equal(disk.files.size, 0)
        }
      ),
      { numRuns: numRuns * 2 }
    ))

  it("SP-4: a tail torn at any byte is cut and reported, and appending goes on there", () =>
    fc.assert(
      fc.asyncProperty(sizes, async (recordSizes) => {
        const disk = await written(recordSizes, { segmentBytes: 1e9 })
        const [path, file] = Array.from(disk.files)[0]!
        const whole = file.content
        for (let cut = 0; cut <= whole.length; cut++) {
          file.content = Buffer.from(whole.subarray(0, cut))
          const log = await open(disk, { segmentBytes: 1e9 })
          const ends = recordSizes.map((_, i) => recordSizes.slice(0, i + 1).reduce((sum, size) => sum + 16 + size, 16))
          const kept = ends.filter((end) => end <= cut).length
          const good = kept === 0 ? 16 : ends[kept - 1]!
          if (cut === good) assert.equal(log.repair, undefined)
          else assert.deepEqual(log.repair, { file: path, cutBytes: cut < 16 ? cut : cut - good })
          await log.append(kept, payloadOf(kept, 7))
          await log.flush()
          const again = await open(disk, { segmentBytes: 1e9 })
          assert.equal(again.repair, undefined)
          assertRecords(await readAll(again), [...recordSizes.slice(0, kept), 7])
        }
      }),
      { numRuns: Math.ceil(numRuns / 20) }
    ))

  it("P4: a changed byte before the synced end is always an error that names file and place", () =>
    fc.assert(
      fc.asyncProperty(sizes, fc.nat(), fc.integer({ min: 1, max: 255 }), fc.boolean(), async (recordSizes, at, change, isKnown) => {
        const disk = new MemoryDisk()
        const log = await open(disk)
        for (const [i, size] of recordSizes.entries()) await log.append(i, payloadOf(i, size))
        const syncedTo = await log.sync()
        await log.close()
        const files = Array.from(disk.files)
        const [path, file] = files[at % files.length]!
        file.content = Buffer.from(file.content)
        const place = at % file.content.length
        file.content[place]! ^= change
        const attempted = (async () => {
          const again = await open(disk, isKnown ? { syncedTo } : {})
          return [again.repair, await readAll(again)] as const
        })()
        const damaged = file.content
        if (isKnown) {
          await assert.rejects(attempted, (error) => error instanceof DamagedSegment && error.file === path)
          assert.deepEqual(file.content, damaged, "what is left of damaged data is evidence, not to be cut")
        } else {
          // Without that knowledge a changed last record looks torn. It is cut and reported, and no other one is lost.
          const result = await attempted.catch((error: unknown) => error)
          if (result instanceof DamagedSegment) return
          const [repair, records] = result as Awaited<typeof attempted>
          assert.ok(repair !== undefined && repair.file === path && repair.cutBytes > 0)
          assertRecords(records, recordSizes.slice(0, -1))
        }
      }),
      { numRuns: numRuns * 3 }
    ))

  it("P3: what was synced survives a loss of power, whatever else of it does", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.oneof({ weight: 5, arbitrary: fc.nat(200) }, { weight: 1, arbitrary: fc.constantFrom("sync" as const, "flush" as const) }),
          { maxLength: 30, size: "max" }
        ),
        fc.infiniteStream(fc.boolean()),
        async (script, luck) => {
          const disk = new MemoryDisk()
          const log = await open(disk)
          const appended: Array<number> = []
          let synced = 0
          let syncedTo: SegmentLogOptions["syncedTo"]
          for (const step of script) {
            if (step === "sync") {
              syncedTo = await log.sync()
              synced = appended.length
            } else if (step === "flush") await log.flush()
            else {
              await log.append(appended.length, payloadOf(appended.length, step))
              appended.push(step)
            }
          }
          await new Promise((resolve) => setImmediate(resolve))
          disk.losePower(() => luck.next().value)
          const records = await readAll(await open(disk, syncedTo === undefined ? { syncedTo: { segment: 1, offset: 16 } } : { syncedTo }))
          assert.ok(records.length >= synced, `${synced} were synced and ${records.length} are there`)
          assertRecords(records, appended.slice(0, records.length))
        }
      ),
      { numRuns: numRuns * 2 }
    ))

  it("P3: after a sync that failed nothing is called durable any more, but all can be read", () =>
    fc.assert(
      fc.asyncProperty(sizes, fc.nat(5), fc.constantFrom("sync", "syncDirectory"), async (recordSizes, at, failing) => {
        const disk = new MemoryDisk()
        const log = await open(disk)
        let left = at
        let hasFailed = false
        disk.fault = (operation) => (operation === failing && !hasFailed && left-- === 0 ? ((hasFailed = true), "EIO") : undefined)
        for (const [i, size] of recordSizes.entries()) {
          await log.append(i, payloadOf(i, size))
          const before = hasFailed
          const outcome = await log.sync().catch((error: unknown) => error)
          if (before || hasFailed) assert.ok(outcome instanceof SegmentFailed && outcome.code === "EIO")
          else assert.deepEqual(outcome, log.end)
        }
        assertRecords(await readAll(log), recordSizes)
      }),
      { numRuns }
    ))

  it("a missing segment is an error", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 100, max: 300 }), { minLength: 9, maxLength: 12 }),
        fc.nat(),
        async (recordSizes, which) => {
          const disk = await written(recordSizes)
          const paths = Array.from(disk.files.keys())
          disk.files.delete(paths[1 + (which % (paths.length - 2))]!)
          await assert.rejects(open(disk), DamagedSegment)
        }
      ),
      { numRuns }
    ))
})
