import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { Outlet } from "../../../src/capabilities/providers/Outlet.ts"

const script = new URL("./killedProvider.ts", import.meta.url).pathname

/** What is in the file after a life that was killed and one that was not. */
const written = (kind: "repeats" | "live"): ReadonlyArray<number> => {
  const folder = mkdtempSync(join(tmpdir(), "rtfs-streams-provider-"))
  try {
    const live = (life: number) => spawnSync(process.execPath, [script, folder, kind, String(life)], { encoding: "utf8" })
    expect(live(1).signal).toBe("SIGKILL")
    const { status, stderr } = live(2)
    expect([stderr, status]).toEqual(["", 0])
    return readFileSync(join(folder, "out.txt"), "utf8").trimEnd().split("\n").map(Number)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const upTo = (count: number, from = 0) => Array.from({ length: count }, (_, index) => from + index)

describe("a stream of a provider with checkpoints, whose process was killed", () => {
  it("goes on behind the last checkpoint where the provider repeats", () => {
    expect(written("repeats")).toEqual(upTo(150))
  })

  it("goes on with what comes from then on where it does not", () => {
    const items = written("live")
    const before = items.filter((n) => n < 1000).length
    expect(before).toBeGreaterThanOrEqual(30)
    expect(items).toEqual([...upTo(before), ...upTo(150, 1000)])
  })
})

describe("the place of a consumer that a checkpoint keeps", () => {
  const outletOf = (repeats: boolean): Outlet => {
    const outlet = new Outlet({ items: 100, bytes: 1e6, milliseconds: 1e6, buffer: 10, now: () => 0, repeats })
    void outlet.put(upTo(6, 1))
    return outlet
  }
  const taken = (outlet: Outlet, place: { readonly epoch: string; readonly number: number }) => {
    const group = outlet.group("one", "stream")
    outlet.take(group, 5)
    outlet.acknowledge(group)
    outlet.goOnAt(group, place)
    return outlet.take(group, 10) ?? "waits"
  }

  it("is gone back to in the same life of the stream, though more was acknowledged since", () => {
    const outlet = outletOf(false)
    expect(taken(outlet, { epoch: outlet.epoch, number: 2 })).toMatchObject({ items: [3, 4, 5, 6] })
  })

  it("is passed over in another life of a stream that repeats, and says nothing of one that does not", () => {
    expect(taken(outletOf(true), { epoch: "another", number: 2 })).toMatchObject({ items: [3, 4, 5, 6] })
    expect(taken(outletOf(true), { epoch: "another", number: 8 })).toBe("waits")
    expect(taken(outletOf(false), { epoch: "another", number: 2 })).toMatchObject({ items: [6] })
  })
})
