import fc from "fast-check"
import { assert, describe, expect, it } from "vitest"
import { PartitionLedger } from "../src/state/queues/PartitionLedger.ts"

/** Against a long log, of which some offsets are no messages, as after compaction and behind transactions. */
const logLength = 60

type Step =
  | { readonly type: "read"; readonly records: number }
  | { readonly type: "ask" }
  | { readonly type: "answer"; readonly of: number; readonly records: number }
  | { readonly type: "acknowledge"; readonly of: number }
  | { readonly type: "give back"; readonly of: number }
  | { readonly type: "commit" }
  | { readonly type: "begin again" }

const ofAny = fc.nat(logLength)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ type: fc.constant("read" as const), records: fc.integer({ min: 1, max: 12 }) }) },
  { weight: 1, arbitrary: fc.constant<Step>({ type: "ask" }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("answer" as const), of: fc.nat(3), records: fc.integer({ min: 1, max: 12 }) }) },
  { weight: 8, arbitrary: fc.record({ type: fc.constant("acknowledge" as const), of: ofAny }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("give back" as const), of: ofAny }) },
  { weight: 3, arbitrary: fc.constant<Step>({ type: "commit" }) },
  { weight: 2, arbitrary: fc.constant<Step>({ type: "begin again" }) }
)

const holes = fc.uniqueArray(fc.nat(logLength - 1), { maxLength: 20 })

/** What a note says is done, behind the offset. */
const doneIn = ({ note, offset }: { readonly note: string; readonly offset: number }): ReadonlySet<number> => {
  const { done } = (note === "" ? { done: [] } : JSON.parse(note)) as {
    readonly done: ReadonlyArray<readonly [from: number, count: number]>
  }
  return new Set(done.flatMap(([from, count]) => Array.from({ length: count }, (_, n) => offset + from + n)))
}

const read = (ledger: PartitionLedger, offsets: ReadonlyArray<number>, next: number) =>
  ledger
    .read(
      offsets.map((offset) => ({ offset })),
      next
    )
    .map(([{ offset }, returned]) => [offset, returned] as const)

describe("the ledger of a partition", () => {
  it("never lets a message be skipped, whatever is acknowledged when, and never gives one that is done and noted", () => {
    fc.assert(
      fc.property(holes, fc.array(step, { maxLength: 120 }), (missing, steps) => {
        const log = Array.from({ length: logLength }, (_, offset) => offset).filter((offset) => !missing.includes(offset))
        const acknowledged = new Set<number>()
        const given: Array<number> = []
        let committed: { offset: number; note: string } = { offset: 0, note: "" }
        let ledger = new PartitionLedger(0, 0, null)
        let givenNow = new Set<number>()
        /** Answers that are under way, with where they read from; some come late. */
        let asked: Array<number> = []
        const answer = (from: number, records: number) => {
          const found = log.filter((offset) => offset >= from).slice(0, records)
          const end = found.length < records ? logLength : found.at(-1)! + 1
          for (const [offset] of read(ledger, found, end)) {
            assert.isFalse(acknowledged.has(offset), `${offset} is done and was given again`)
            assert.isFalse(givenNow.has(offset), `${offset} was given twice`)
            givenNow.add(offset)
            given.push(offset)
          }
        }
        for (const each of steps) {
          switch (each.type) {
            case "read":
              answer(ledger.position, each.records)
              break
            case "ask":
              asked.push(ledger.position)
              break
            case "answer":
              if (asked.length > 0) answer(asked.splice(each.of % asked.length, 1)[0]!, each.records)
              break
            case "acknowledge": {
              // Also one that an older ledger gave.
              const offset = given[each.of % given.length]
              if (offset !== undefined) {
                ledger.acknowledge(offset)
                acknowledged.add(offset)
              }
              break
            }
            case "give back": {
              const offset = given[each.of % given.length]
              if (offset !== undefined) ledger.giveBack(offset, { attempts: 1, notBefore: 0 })
              break
            }
            case "commit": {
              const next = ledger.commit()
              assert.isAtLeast(next.offset, committed.offset)
              const passed = log.filter((offset) => offset < next.offset)
              assert.isTrue(
                passed.every((offset) => acknowledged.has(offset)),
                `${next.offset} was committed`
              )
              const noted = doneIn(next)
              for (const offset of acknowledged) assert.isTrue(offset < next.offset || noted.has(offset), `${offset} is done and not noted`)
              committed = next
              break
            }
            case "begin again":
              // Facts that were not committed are lost with the process.
              acknowledged.clear()
              for (const offset of log) if (offset < committed.offset) acknowledged.add(offset)
              for (const offset of doneIn(committed)) acknowledged.add(offset)
              ledger = new PartitionLedger(0, committed.offset, committed.note)
              asked = []
              givenNow = new Set()
          }
        }
        // Whoever goes on gets everything that is not done.
        const next = new PartitionLedger(0, committed.offset, committed.note)
        const rest = read(
          next,
          log.filter((offset) => offset >= next.position),
          logLength
        ).map(([offset]) => offset)
        const { note, offset } = ledger.commit()
        assert.isTrue(
          log.every((each) => each < offset === false || acknowledged.has(each)),
          note
        )
        for (const each of log) if (!acknowledged.has(each)) assert.include(rest, each)
        for (const each of rest) ledger.acknowledge(each)
      }),
      { numRuns: Number(process.env["FC_RUNS"] ?? 300) }
    )
  })

  it("gives again what does not fit into the note beside the offset, and skips none", () => {
    const ledger = new PartitionLedger(0, 1000, null)
    const offsets = Array.from({ length: 5000 }, (_, n) => 1000 + n)
    read(ledger, offsets, 6000)
    for (const offset of offsets) if (offset % 2 === 1) ledger.acknowledge(offset)
    for (const offset of offsets) if (offset % 100 === 0) ledger.giveBack(offset, { attempts: 3, notBefore: 0 })
    const { note, offset } = ledger.commit()
    expect(offset).toBe(1000)
    expect(note.length).toBeLessThanOrEqual(4096)
    const again = read(new PartitionLedger(0, offset, note), offsets, 6000)
    const given = new Set(again.map(([each]) => each))
    expect(offsets.filter((each) => each % 2 === 0 && !given.has(each))).toEqual([])
    // The first few hundred are known to be done.
    expect(given.has(1001)).toBe(false)
    expect(given.size).toBeLessThan(4700)
    expect(again[0]).toEqual([1000, { attempts: 3, notBefore: 0 }])
  })

  it("reads on behind what the server has deleted, and begins anew where the server has lost the end", () => {
    const ledger = new PartitionLedger(0, 10, null)
    read(ledger, [10, 11, 12], 13)
    ledger.acknowledge(11)
    ledger.restartAt(50)
    expect(ledger.position).toBe(50)
    expect(ledger.commit().offset).toBe(10)
    ledger.acknowledge(10)
    ledger.acknowledge(12)
    expect(ledger.commit()).toEqual({ offset: 50, note: "" })
    ledger.restartAt(0)
    expect(read(ledger, [0, 1], 2).map(([offset]) => offset)).toEqual([0, 1])
    expect(ledger.commit().offset).toBe(0)
    // What is open is read anew, in order.
    ledger.acknowledge(0)
    ledger.restartAt(0)
    expect(read(ledger, [0, 1, 2], 3).map(([offset]) => offset)).toEqual([0, 1, 2])
    expect(ledger.commit().offset).toBe(0)
  })

  it("takes notes of other programs for none", () => {
    for (const note of [
      "",
      "spark-7",
      `{"rtfs-streams":1,"done":[[-5,2]],"returned":[]}`,
      `{"rtfs-streams":1,"done":7}`,
      `{"rtfs-streams":1,`
    ]) {
      expect(read(new PartitionLedger(0, 5, note), [5, 6], 7).length).toBe(2)
    }
  })
})
