import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { setTimeout as sleep } from "node:timers/promises"
import { afterAll, beforeEach, describe, expect, it } from "vitest"
import { exitStatus } from "../../src/cli/exitStatus.ts"
import { encodeValue } from "../../src/serialization/index.ts"
import { checksumOf } from "../../src/state/Checksum.ts"
import { type Outcome, rtfsStreams, type Running, start } from "./command.ts"

const root = mkdtempSync(join(tmpdir(), "rtfs-streams-checkpoints-"))
afterAll(() => rmSync(root, { recursive: true }))

let folder = ""
let ordinal = 0
beforeEach(() => {
  folder = join(root, String(++ordinal))
  mkdirSync(folder)
  writeFileSync(
    join(folder, "bindings.mjs"),
    `export const slowly = async (n) => {
       if (Number(n) % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 2))
       return "line " + n
     }`
  )
  writeFileSync(join(folder, "program.rtfs"), program())
})

const lines = 1500
const expected = Array.from({ length: lines }, (_, n) => `line ${n}\n`).join("")

const program = ({ id = "copy", size = 7 } = {}) => `
(def numbers (call :stream.generate {:initial-state 0 :generator (fn [n] (if (< n ${lines}) [n (inc n)] :done))}))

(def texts
  (-> (call :stream.with-checkpointing numbers {:stream-id "${id}" :checkpoint-interval 20})
      (stream.map slowly)
      (stream.batch ${size})
      (stream.map (fn [lines] (str (join "\\n" lines) "\\n")))))

(call :stream.await (call :stream.file.write "out.txt" {:data-source texts}))`

const other = `
(call :stream.file.write "other.txt"
  {:data-source (call :stream.with-checkpointing [1] {:stream-id "copy"}) :format :ndjson})`

const args = ["run", "program.rtfs", "--data-dir", "data", "--allow-write", ".", "--bindings", "bindings.mjs"]
const run = (): Promise<Outcome> => rtfsStreams(args, { cwd: folder })
const begin = (): Running => start(args, { cwd: folder })

const partSize = (): number =>
  readdirSync(folder)
    .filter((name) => name.endsWith(".rtfs-part"))
    .reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)

const untilItWrites = async (running: Running, more = 0): Promise<void> => {
  const before = partSize()
  while (partSize() <= before + more) {
    if (running.process.exitCode !== null) throw new Error(`It ended before it wrote: ${JSON.stringify(await running.outcome)}`)
    await sleep(2)
  }
}

const killedInTheMiddle = async (): Promise<void> => {
  const running = begin()
  await untilItWrites(running, 3000)
  running.process.kill("SIGKILL")
  expect(await running.outcome).toMatchObject({ status: 137 })
  expect(existsSync(join(folder, "out.txt"))).toBe(false)
}

const output = (): string => readFileSync(join(folder, "out.txt"), "utf8")

describe("the command line and checkpoints", () => {
  it("goes on after a kill, and does nothing once it has ended", async () => {
    await killedInTheMiddle()
    expect(await run()).toMatchObject({ status: 0, stderr: "" })
    expect(output()).toBe(expected)
    writeFileSync(join(folder, "out.txt"), "read, and put away")
    expect(await run()).toMatchObject({ status: 0, stderr: "" })
    expect(output()).toBe("read, and put away")
  })

  it("gives a sink without a position one contiguous part again, and leaves nothing out", async () => {
    writeFileSync(
      join(folder, "program.rtfs"),
      `(-> (call :stream.with-checkpointing
              (call :stream.generate {:initial-state 0 :generator (fn [n] (if (< n ${lines}) [n (inc n)] :done))})
              {:stream-id "printed" :checkpoint-interval 20})
            (stream.map slowly))`
    )
    const numbersIn = (text: string) =>
      text
        .split("\n")
        .slice(0, -1)
        .map((line) => Number(/\d+/.exec(line)![0]))
    const first = begin()
    await first.printed("line 700")
    first.process.kill("SIGKILL")
    const before = numbersIn((await first.outcome).stdout)
    const { status, stdout } = await run()
    const after = numbersIn(stdout)
    expect(status).toBe(0)
    expect(before).toEqual(before.map((_, index) => index))
    expect(after).toEqual(after.map((_, index) => after[0]! + index))
    expect(after.at(-1)).toBe(lines - 1)
    // Behind the first checkpoint, and no further than what was printed.
    expect(after[0]).toBeGreaterThan(0)
    expect(after[0]).toBeLessThanOrEqual(before.length)
  })

  it("refuses a second process at once, with 73, while the first is suspended; that one goes on unharmed", async () => {
    const first = begin()
    await untilItWrites(first, 2000)
    first.process.kill("SIGSTOP")
    const second = await run()
    expect(second.status).toBe(exitStatus.busy)
    expect(second.stderr).toContain(`is in use by process ${first.process.pid}`)
    expect(second.stderr).toContain("--data-dir")
    first.process.kill("SIGCONT")
    expect(await first.outcome).toMatchObject({ status: 0 })
    expect(output()).toBe(expected)
  })

  it("refuses two streams of one id in one program with 73", async () => {
    writeFileSync(join(folder, "program.rtfs"), `${other}\n${program()}`)
    const { status, stderr } = await run()
    expect(status).toBe(exitStatus.busy)
    expect(stderr).toContain("The stream copy is in use")
    expect(stderr).toContain(":stream-id")
  })

  it("refuses a program that was changed with 65, names the option, and goes on once it is changed back", async () => {
    await killedInTheMiddle()
    writeFileSync(join(folder, "program.rtfs"), program({ size: 8 }))
    const { status, stderr } = await run()
    expect(status).toBe(exitStatus.wrongInput)
    expect(stderr).toMatch(/:size of its node .*batch.* is another.*Undo the change/s)
    writeFileSync(join(folder, "program.rtfs"), program())
    expect(await run()).toMatchObject({ status: 0 })
    expect(output()).toBe(expected)
  })

  it("goes on with an older checkpoint, and says so, where the last one is damaged; ends with 74 where none is whole", async () => {
    await killedInTheMiddle()
    const damage = (which: string) => {
      const database = new DatabaseSync(join(folder, "data", "state.db"))
      database.exec(`UPDATE checkpoints SET bytes = zeroblob(length(bytes)) WHERE ${which}`)
      database.close()
    }
    damage("id = (SELECT max(id) FROM checkpoints)")
    const running = begin()
    await running.complained("is damaged")
    await untilItWrites(running)
    running.process.kill("SIGKILL")
    await running.outcome
    damage("true")
    const none = await run()
    expect(none.status).toBe(exitStatus.io)
    expect(none.stderr).toMatch(
      /damaged.*None that is whole is left: restore the data directory from a copy, or give the stream copy another :stream-id/s
    )
    writeFileSync(join(folder, "program.rtfs"), program({ id: "anew" }))
    expect(await run()).toMatchObject({ status: 0 })
    expect(output()).toBe(expected)
  })

  it("ends with 74 where the checkpoint is another version's", async () => {
    await killedInTheMiddle()
    const database = new DatabaseSync(join(folder, "data", "state.db"))
    const bytes = encodeValue({ format: 2, what: "nobody knows yet" })
    for (const { epoch, id, time } of database.prepare("SELECT id, epoch, time FROM checkpoints").all()) {
      const crc = checksumOf(["checkpoint", "copy", Number(id), Number(epoch), Number(time)], bytes)
      database.prepare("UPDATE checkpoints SET bytes = ?, crc = ? WHERE id = ?").run(bytes, crc, id!)
    }
    database.close()
    const { status, stderr } = await run()
    expect(status).toBe(exitStatus.io)
    expect(stderr).toContain("was written by another version (format 2)")
  })
})
