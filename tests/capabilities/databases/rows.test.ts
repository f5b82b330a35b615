import pg from "pg"
import { describe, expect, it } from "vitest"
import type { DatabaseInsert, DatabaseSession } from "../../../src/actors/index.ts"
import { copyEncoder } from "../../../src/capabilities/databases/copyText.ts"
import { rowWriter } from "../../../src/capabilities/databases/insertPlan.ts"
import { momentOf, momentText } from "../../../src/capabilities/databases/moments.ts"
import { postgresReaders } from "../../../src/capabilities/databases/postgresTypes.ts"
import { compileRowReader } from "../../../src/capabilities/databases/rowCode.ts"

/** What PostgreSQL sends for moments, of which the driver's reader gives the same, slower. */
const texts = [
  "1970-01-01 00:00:00+00",
  "1969-12-31 23:59:59.999+00",
  "2026-02-03 04:05:06.789+00",
  "2024-02-29 23:59:59.5+05:30",
  "2023-03-01 00:00:00-11:30",
  "2000-02-29 12:00:00+00",
  "1900-03-01 00:00:00+00",
  "0099-12-31 10:00:00+00",
  "9999-12-31 23:59:59.999+00"
]

describe("moments", () => {
  it("are read as the driver reads them, in every zone, around leap days and before 1970", () => {
    const driver = pg.types.getTypeParser(1184) as (text: string) => Date
    for (const text of texts) expect(momentOf(text), text).toEqual(driver(text))
    // Every day of four centuries, so that no rule of the calendar is missed.
    for (let day = 0; day < 146_097; day += 1) {
      const moment = new Date(Date.UTC(1800, 0, 1 + day, 6, 7, 8, 9))
      const text = moment.toISOString().replace("T", " ").replace("Z", "+00")
      if (momentOf(text)?.getTime() !== moment.getTime()) expect.fail(text)
    }
  })

  it("that are finer than a millisecond are cut off", () => {
    expect(momentOf("2026-02-03 04:05:06.789999+00")).toEqual(new Date("2026-02-03T04:05:06.789Z"))
    // Also before 1970, where a part of a millisecond would move it to the next.
    expect(momentOf("1969-12-31 23:59:59.998999+00")).toEqual(new Date(-2))
    expect(momentOf("2026-02-03 04:05:06.07+00")).toEqual(new Date("2026-02-03T04:05:06.070Z"))
  })

  it("in other styles are left to the driver, and what is no moment stays text", () => {
    for (const text of [
      "infinity",
      "Tue Feb 03 04:05:06 2026 UTC",
      "0044-03-15 00:00:00+00 BC",
      "1850-01-01 00:00:00+00:53:28",
      "02/03/2026 04:05:06.00 UTC",
      "2026-02-0x 04:05:06+00"
    ])
      expect(momentOf(text), text).toBeUndefined()
    const read = postgresReaders(pg.types)(1184) as (text: string) => unknown
    expect(read("infinity")).toBe("infinity")
    expect(read("1850-01-01 00:00:00+00:53:28")).toEqual(new Date("1849-12-31T23:06:32Z"))
  })

  it("are written as toISOString writes them, also where days change back and forth", () => {
    for (const at of [0, -1, 86_399_999, 86_400_000, -62_198_755_200_000, 8.64e15, -8.64e15, 1_770_091_506_789, 5]) {
      expect(momentText(new Date(at))).toBe(new Date(at).toISOString())
    }
    expect(() => momentText(new Date(Number.NaN))).toThrow(RangeError)
  })
})

const columns = [
  { name: "id", type: "integer" },
  { name: "constructor", type: "text" },
  { name: "extra", type: "jsonb" },
  { name: "tags", type: "text[]" },
  { name: "bytes", type: "bytea" },
  { name: `odd"\u2028\\name`, type: "text" }
]
const session = { encoder: (column) => copyEncoder(column) } as Pick<DatabaseSession, "encoder"> as DatabaseSession
const writer = (mayHaveMore: boolean) => rowWriter({ columns, method: "copy" } as unknown as DatabaseInsert, session, mayHaveMore)

describe("rows for COPY", () => {
  it("have what its text form escapes escaped, and nil where the item has nothing of its own", () => {
    expect(
      writer(false)({
        id: 1,
        extra: { a: 'x\n"y\\' },
        tags: ["a\tb", null],
        bytes: new Uint8Array([0, 255]),
        [`odd"\u2028\\name`]: "a\\b\tc\nd"
      })
    ).toBe(`1\t\\N\t{"a":"x\\\\n\\\\"y\\\\\\\\"}\t{"a\\tb",NULL}\t\\\\x00ff\ta\\\\b\\tc\\nd\n`)
    expect(writer(false)({ id: 2n, constructor: true })).toBe("2\ttrue\t\\N\t\\N\t\\N\t\\N\n")
  })

  it("are the same for a map in its other form, and refuse a surplus key in both", () => {
    const item = { id: 3, constructor: "x" }
    expect(writer(false)(new Map(Object.entries(item)))).toBe(writer(false)(item))
    for (const surplus of [{ id: 3, more: 1 }, new Map([["more", 1]])]) {
      expect(() => writer(false)(surplus)).toThrow(/"more"/)
      expect(writer(true)(surplus)).toMatch(/\n$/)
    }
    // A key without a value is no value too many.
    expect(writer(false)({ id: 3, tags: undefined })).toBe("3\t\\N\t\\N\t\\N\t\\N\t\\N\n")
  })

  it("say what has no form in its column", () => {
    expect(() => writer(false)({ bytes: "text" })).toThrow(/column bytes/)
    expect(() => writer(false)({ constructor: "a\0b" })).toThrow(/character 0/)
    expect(() => writer(false)({ id: { a: 1 } })).toThrow(/column id/)
    expect(() => writer(false)([1])).toThrow(/map of columns/)
  })
})

describe("rows that are read", () => {
  it("are plain maps with the columns in their order, whatever their names", () => {
    const read = compileRowReader(["b", "a\n\"'`${1}\u2028", "toString"], [Number, undefined, (text: string) => text.length])
    const row = read(["1", "x", null])
    expect(Object.getPrototypeOf(row)).toBe(Object.prototype)
    expect(Object.entries(row)).toEqual([
      ["b", 1],
      ["a\n\"'`${1}\u2028", "x"],
      ["toString", null]
    ])
  })
})
