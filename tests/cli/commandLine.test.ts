import { execFileSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { encodeValue, FrameEncoder, frameToBytes, keyword } from "../../src/serialization/index.ts"
import { rtfsStreams, start } from "./command.ts"

let folder: string
const file = (name: string, text: string | Uint8Array) => {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "rtfs-streams-cli-"))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A stack of ours: what no user may see. */
const stack = /^\s+at .*[(/].*\.[jt]s:\d+/m

// Each of these is a process of its own, so each says several things at once.
describe("eval", () => {
  it("prints a value as RTFS, and with --json as JSON", async () => {
    expect(await rtfsStreams(["eval", "(+ 1 2)"])).toMatchObject({ status: 0, stdout: "3\n", stderr: "" })
    const json = await rtfsStreams(["eval", "--json", '(do (println "told") {:a :b "c" [1 nil true] :big 9007199254740993})'])
    expect(json).toMatchObject({ status: 0, stdout: '{"a":":b","c":[1,null,true],"big":9007199254740993}\n', stderr: "told\n" })
  })

  it("says of a stream that nothing consumes it", async () => {
    const { stderr, stdout } = await rtfsStreams(["eval", "(call :stream.from-collection [1 2])"])
    expect(stdout).toBe("#<stream from-collection>\n")
    expect(stderr).toContain("(call :stream.await …) around it gives its items")
  })

  it("shows what is wrong with a program, and where, with status 65", async () => {
    const wrong = await rtfsStreams(["eval", "(+ 1\n   (* 2"])
    expect(wrong).toMatchObject({ status: 65, stdout: "" })
    expect(wrong.stderr).toMatch(/2 \|/)
    expect(wrong.stderr).not.toMatch(stack)
  })

  it("ends with status 1 for a failing program, 70 at a limit", async () => {
    const failed = await rtfsStreams(["eval", "(/ 1 0)"])
    expect(failed.status).toBe(1)
    expect(failed.stderr).toMatch(/Division by zero/)
    expect(failed.stderr).not.toMatch(stack)
    expect((await rtfsStreams(["eval", "(loop [i 0] (recur (inc i)))"])).status).toBe(70)
  })

  it("takes symbols from a module of bindings", async () => {
    const bindings = file(
      "bindings.mjs",
      'export const later = async (n) => n + 1\nexport default { "string/reverse": (s) => [...s].reverse().join("") }'
    )
    const { status, stdout } = await rtfsStreams(["eval", '[(string/reverse "abc") (later 1)]', "--bindings", bindings])
    expect({ status, stdout }).toEqual({ status: 0, stdout: '["cba" 2]\n' })
  })
})

describe("a wrong command line", () => {
  it("ends with status 64 and says what to write", async () => {
    expect(await rtfsStreams([])).toMatchObject({ status: 64, stdout: "", stderr: expect.stringContaining("No command was given") })
    const { status, stderr } = await rtfsStreams(["run", "p.rtfs", "--memory", "much"])
    expect(status).toBe(64)
    expect(stderr).toBe('--memory takes a size such as 256MB or 1GB, not "much".\nSee: rtfs-streams run --help\n')
  })

  it("is refused before an old Node imports anything", async () => {
    const pretend = `data:text/javascript,Object.defineProperty(process,"versions",{value:{node:"20.20.2"}})`
    const { status, stderr, stdout } = await rtfsStreams(["eval", "1"], { nodeArgs: ["--import", pretend] })
    expect({ status, stdout }).toEqual({ status: 64, stdout: "" })
    expect(stderr).toMatch(/^rtfs-streams needs Node 22\.19 or newer/)
  })

  it("gets help and the version on standard output", async () => {
    expect(await rtfsStreams(["--help"])).toMatchObject({ status: 0, stderr: "", stdout: expect.stringContaining("exit status:") })
    expect(await rtfsStreams(["--version"])).toMatchObject({ status: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) })
  })
})

const evens = `
  (def numbers (call :stream.from-collection [1 2 3 4]))
  (println "starting")
  (call :stream.map (call :stream.filter numbers {:predicate (fn [n] (= 0 (mod n 2)))}) {:transform (fn [n] {:square (* n n)})})`

describe("run", () => {
  it("prints the items of the last stream as JSON lines, after what the program prints", async () => {
    const outcome = await rtfsStreams(["run", file("evens.rtfs", evens)])
    expect(outcome).toMatchObject({ status: 0, stdout: 'starting\n{"square":4}\n{"square":16}\n', stderr: "" })
  })

  it("keeps standard output for the last value with --json, and writes a report", async () => {
    const report = join(folder, "report.json")
    const program = `(println "hello") (call :stream.await (call :stream.to-collection [1 2 3] {}))`
    const outcome = await rtfsStreams(["run", "-", "--json", "--report", report], { input: program })
    expect(outcome).toMatchObject({ status: 0, stdout: "[1,2,3]\n", stderr: "hello\n" })
    expect(JSON.parse(readFileSync(report, "utf8"))).toMatchObject({
      ending: "done",
      accepted: 3,
      processed: 3,
      undrained: 0,
      deadLettered: 0
    })
  })

  it("grants nothing by default, and what it is told to", async () => {
    const data = file("data.txt", "one\ntwo\n")
    const program = file("read.rtfs", `(call :stream.file.read ${JSON.stringify(data)} {:format :lines})`)
    const report = join(folder, "denied.json")
    const denied = await rtfsStreams(["run", program, "--report", report])
    expect(denied).toMatchObject({ status: 77, stdout: "" })
    expect(denied.stderr).toContain(`grant it with --allow-read ${data} (policy.read).\n  at ${program}:1:7\n  1 | (call :stream.file.read`)
    expect(denied.stderr).not.toMatch(stack)
    expect(JSON.parse(readFileSync(report, "utf8"))).toMatchObject({
      ending: "failed",
      accepted: 0,
      error: expect.stringContaining("Not permitted")
    })
    expect(await rtfsStreams(["run", program, "--allow-read", folder])).toMatchObject({ status: 0, stdout: '"one"\n"two"\n' })
  })

  it("says which file is missing, with status 74", async () => {
    const outcome = await rtfsStreams(["run", join(folder, "nowhere.rtfs")])
    expect(outcome).toMatchObject({ status: 74, stdout: "" })
    expect(outcome.stderr).toMatch(/nowhere\.rtfs": there is no such file/)
  })

  it("ends with status 70 when it takes longer than --timeout", async () => {
    const outcome = await rtfsStreams(["run", "-", "--timeout", "300ms"], { input: endless })
    expect(outcome.status).toBe(70)
    expect(outcome.stderr).toMatch(/did not end within 300 ms/)
  })

  it("ends quietly when the reader of its output has gone", async () => {
    const running = start(["run", file("endless.rtfs", endless)])
    await running.printed("100\n")
    running.process.stdout!.destroy()
    expect(await running.outcome).toMatchObject({ status: 0, stderr: "" })
  })

  it("P13: refuses a data directory that another process works in, with status 73, at once", async () => {
    const data = join(folder, "state")
    const first = start(["run", file("busy.rtfs", endless), "--data-dir", data])
    await first.printed("1\n")
    const second = await rtfsStreams(["run", file("busy.rtfs", endless), "--data-dir", data])
    expect(second.status).toBe(73)
    expect(second.stderr).toContain(`process ${first.process.pid}`)
    first.process.kill("SIGKILL")
    await first.outcome
    const third = await rtfsStreams(["run", "-", "--data-dir", data], { input: evens })
    expect(third.status).toBe(0)
  })
})

/** Numbers for ever, printed by the command. */
const endless = "(call :stream.generate {:initial-state 0 :generator (fn [n] [n (inc n)])})"

describe("a signal", () => {
  it.each([
    ["SIGTERM", 143],
    ["SIGINT", 130]
  ] as const)("P5: %s drains, reports and ends with status %i; everything accepted is accounted for", async (signal, status) => {
    const report = join(folder, `${signal}.json`)
    const running = start(["run", "-", "--report", report, "--shutdown-timeout", "5s"], { input: endless })
    await running.printed("1000\n")
    running.process.kill(signal)
    const outcome = await running.outcome
    expect(outcome.status).toBe(status)
    const { accepted, deadLettered, ending, processed, undrained } = JSON.parse(readFileSync(report, "utf8"))
    expect({ ending, undrained }).toEqual({ ending: "drained", undrained: 0 })
    expect(accepted).toBe(processed + undrained + deadLettered)
    // Every item that the report calls processed was printed, once and in order.
    expect(outcome.stdout).toBe(Array.from({ length: processed }, (_, n) => `${n}\n`).join(""))
  })

  it("P5: SIGTERM also ends a program that would go on to its next stream", async () => {
    const program = `(call :stream.generate {:initial-state 0 :generator (fn [n] [n (inc n)]) :on-value (fn [n] (if (= n 1000) (println "under way") n))})
      (call :stream.await (call :stream.generate {:initial-state 0 :generator (fn [n] [n (inc n)]) :on-value (fn [n] n)}))
      (call :stream.generate {:initial-state 0 :generator (fn [n] [n (inc n)])})`
    const running = start(["run", "-", "--shutdown-timeout", "5s"], { input: program })
    await running.printed("under way")
    running.process.kill("SIGTERM")
    expect(await running.outcome).toMatchObject({ status: 143, stdout: "under way\n" })
  })

  it.each([
    ["a callback", "(call :stream.map [1 2 3] {:transform inc :on-chunk (fn [x] (never))})", 3],
    ["the program itself", "(never)", 0]
  ])("P5: ends a program in which nothing can happen any more, and which says so: %s", async (_, program, undrained) => {
    const report = join(folder, "stuck.json")
    const never = file("never.mjs", "export const never = () => new Promise(() => {})")
    const running = start(["run", "-", "--bindings", never, "--report", report, "--shutdown-timeout", "300ms"], { input: program })
    await running.complained("nothing in this process can bring about any more")
    running.process.kill("SIGTERM")
    expect((await running.outcome).status).toBe(143)
    expect(JSON.parse(readFileSync(report, "utf8"))).toMatchObject({ undrained, processed: 0 })
  })

  it("P5: past the shutdown timeout it ends although nobody reads its output", async () => {
    // Each item is more than the pipe and its reader hold together, so the first one is stuck in the pipe.
    const large = `(call :stream.generate {:initial-state 0 :generator (fn [n] [(loop [s "x" k 0] (if (= k 20) s (recur (str s s) (inc k)))) (inc n)])})`
    const running = start(["run", "-", "--report", join(folder, "hung.json"), "--shutdown-timeout", "500ms"], { input: large })
    await running.printed("xxx")
    running.process.stdout!.pause()
    const began = performance.now()
    running.process.kill("SIGTERM")
    const { status } = await running.outcome
    expect(performance.now() - began).toBeLessThan(2500)
    expect(status).toBe(143)
    const { accepted, deadLettered, processed, undrained } = JSON.parse(readFileSync(join(folder, "hung.json"), "utf8"))
    expect(accepted).toBe(processed + undrained + deadLettered)
  })

  it("P5: a second one ends it at once, also while a write hangs", async () => {
    const fifo = join(folder, "fifo")
    execFileSync("mkfifo", [fifo])
    // Opened for reading and writing, so that opening does not wait; what is written is never read.
    const hang = file(
      "hang.mjs",
      `import { openSync, write } from "node:fs"
       const fd = openSync(${JSON.stringify(fifo)}, "r+")
       export const hang = (n) => new Promise((done) => { console.log("hanging"); write(fd, Buffer.alloc(1e6), done) })`
    )
    const program = "(call :stream.map [1 2 3] {:transform (fn [n] (hang n))})"
    const running = start(["run", "-", "--bindings", hang, "--shutdown-timeout", "1m"], { input: program })
    await running.printed("hanging")
    running.process.kill("SIGTERM")
    await new Promise((resolve) => setTimeout(resolve, 300))
    const began = performance.now()
    running.process.kill("SIGTERM")
    expect((await running.outcome).status).toBe(143)
    expect(performance.now() - began).toBeLessThan(1500)
  })
})

describe("looking without running", () => {
  it("check lists every error with its place, and nothing for a good program", async () => {
    const bad = file("bad.rtfs", "(let [a] a)\n(if)\n")
    const outcome = await rtfsStreams(["check", bad])
    expect(outcome.status).toBe(65)
    expect(outcome.stdout).toMatch(/bad\.rtfs:1:\d+: error: .*\n.*bad\.rtfs:2:\d+: error: /)
    const json = await rtfsStreams(["check", bad, "--json"])
    expect(json.status).toBe(65)
    expect(JSON.parse(json.stdout)).toEqual(expect.arrayContaining([expect.objectContaining({ severity: "error", line: 2 })]))
    expect(await rtfsStreams(["check", file("good.rtfs", evens)])).toMatchObject({ status: 0, stdout: "", stderr: "" })
  })

  it("expand prints a program that runs the same", async () => {
    const program = "(defn twice [n] (* 2 n)) (-> 4 twice twice)"
    const expanded = await rtfsStreams(["expand", "-"], { input: program })
    expect(expanded.status).toBe(0)
    expect((await rtfsStreams(["eval", "-"], { input: expanded.stdout })).stdout).toBe("16\n")
  })

  it("explain shows plan, effects and bounds, and touches nothing", async () => {
    mkdirSync(join(folder, "explained"))
    const out = join(folder, "explained", "out.txt")
    const program = file(
      "copy.rtfs",
      `(call :stream.file.write ${JSON.stringify(out)} {:data-source (call :stream.map [1 2 3] {:transform (fn [n] (str n))})})`
    )
    const text = await rtfsStreams(["explain", program])
    expect(text).toMatchObject({ status: 0, stderr: "" })
    expect(text.stdout).toMatch(/pipeline .*\n[^]*:stream\.map[^]*:fs\.write .*NOT GRANTED[^]*bounds: /)
    expect(readdirSync(join(folder, "explained"))).toEqual([])
    const json = await rtfsStreams(["explain", program, "--json", "--allow-write", folder])
    expect(JSON.parse(json.stdout)).toMatchObject({ effects: [{ effect: ":fs.write", granted: true }] })
  })

  it("capabilities lists all, and shows one in full", async () => {
    const list = await rtfsStreams(["capabilities"])
    expect(list.stdout).toMatch(/^:stream\.filter +\S/m)
    const one = await rtfsStreams(["capabilities", ":stream.filter"])
    expect(one.stdout).toMatch(/^:stream\.filter\n[^]*:predicate +function +required[^]*example\n/)
    const unknown = await rtfsStreams(["capabilities", "stream.fitler"])
    expect(unknown).toMatchObject({ status: 65, stderr: expect.stringContaining("did you mean :stream.filter?") })
    const json = JSON.parse((await rtfsStreams(["capabilities", "--json"])).stdout)
    expect(json.map(({ id }: { id: string }) => id)).toContain("stream.map")
  })

  it("decode prints JSON, NDJSON, msgpack and frames as JSON lines, whatever their name", async () => {
    const decode = (name: string, content: string | Uint8Array, ...more: ReadonlyArray<string>) =>
      rtfsStreams(["decode", "--in", file(name, content), ...more])
    expect(await decode("a.json", '{\n "b": 9007199254740993\n}')).toMatchObject({ status: 0, stdout: '{"b":9007199254740993}\n' })
    expect(await decode("lines", '{"a":1}\n\n[2]\n')).toMatchObject({ status: 0, stdout: '{"a":1}\n[2]\n' })
    expect(await decode("value.bin", encodeValue({ k: keyword("v"), n: [1, null] }))).toMatchObject({ stdout: '{"k":":v","n":[1,null]}\n' })

    const encoded = new FrameEncoder({ stream: "orders" }).encode([{ id: 1 }, { id: 2 }], 0, 2, 1000)
    const frame = await decode("frame", frameToBytes(encoded))
    expect(frame.stdout.split("\n").slice(1)).toEqual(['{"id":1}', '{"id":2}', ""])
    expect(JSON.parse(frame.stdout.split("\n")[0]!)).toMatchObject({ frame: "data", stream: "orders", count: 2, time: 1000 })
  })

  it("decode says where a file is damaged, with status 65", async () => {
    const lines = await rtfsStreams(["decode", "--in", file("bad.ndjson", '{"a":1}\n{"a":\n')])
    expect(lines).toMatchObject({ status: 65, stdout: '{"a":1}\n' })
    expect(lines.stderr).toMatch(/bad\.ndjson:2: Invalid JSON/)
    const bytes = await rtfsStreams(["decode", "--format", "msgpack", "--in", file("cut.bin", encodeValue("cut off text").subarray(0, 5))])
    expect(bytes.status).toBe(65)
    expect(bytes.stderr).toMatch(/Malformed msgpack at byte/)
    expect(existsSync(join(folder, "missing"))).toBe(false)
    expect((await rtfsStreams(["decode", "--in", join(folder, "missing")])).status).toBe(74)
  })
})
