import { spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Readable, Writable } from "node:stream"
import { fileURLToPath } from "node:url"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { History, historyFile, maximumEntries } from "../../src/cli/repl/History.ts"
import { documentationText } from "../../src/cli/repl/documentationText.ts"
import { formTexts, isIncomplete } from "../../src/cli/repl/inputForms.ts"
import { Output } from "../../src/cli/Output.ts"
import { pipedRepl } from "../../src/cli/repl/pipedRepl.ts"
import { shownValue } from "../../src/cli/repl/shownValue.ts"
import { StreamHost } from "../../src/host/index.ts"
import { keyword } from "../../src/serialization/index.ts"
import { rtfsStreams } from "./command.ts"

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "rtfs-streams-repl-"))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe("an input", () => {
  it.each(["(f", "[1 {", '"text', "#| comment", "(f '", "'", "^{:a 1}", "(f \n ; (", "`(a ~", '(f "a)'])("goes on after %s", (source) =>
    expect(isIncomplete(source)).toBe(true)
  )

  it.each(["", "1", "(f)", "(f) ; (", ")", "(f]", "1x", "(f 1x", "(')", '"\\q'])("is complete, or wrong for good, with %s", (source) =>
    expect(isIncomplete(source)).toBe(false)
  )

  it("is taken apart into forms that keep their lines and columns", () => {
    expect(formTexts("1 (f\r\n 2) ; x\n  'a", "input")).toEqual(["1 ", "  (f\r\n 2) ; x\n  ", "\n\n  'a"])
  })
})

describe("History", () => {
  it("keeps inputs for the next session, newest first, in a file for its user only", () => {
    const file = join(folder, "state", "history")
    const first = new History(file)
    expect(first.entries).toEqual([])
    for (const entry of ["(a)", "", "(b)", "two\nlines"]) first.add(entry)
    expect(new History(file).entries).toEqual(["(b)", "(a)"])
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(statSync(join(folder, "state")).mode & 0o777).toBe(0o700)
  })

  it("is cut when it has grown to more than twice its bound", () => {
    const file = join(folder, "long")
    writeFileSync(file, Array.from({ length: 2 * maximumEntries + 1 }, (_, index) => `${index}\n`).join(""))
    const { entries } = new History(file)
    expect(entries).toHaveLength(maximumEntries)
    expect(entries[0]).toBe(String(2 * maximumEntries))
    expect(readFileSync(file, "utf8").split("\n")).toHaveLength(maximumEntries + 1)
    expect(statSync(file).mode & 0o777).toBe(0o600)
  })

  it("works without a file, and with one that cannot be used", () => {
    for (const file of [undefined, "/dev/null/history"]) {
      const history = new History(file)
      history.add("(a)")
      expect(history.entries).toEqual([])
    }
  })

  it("lies where the state of programs goes", () => {
    expect(historyFile({ XDG_STATE_HOME: "/state" })).toBe(join("/state", "rtfs-streams", "repl-history"))
  })
})

describe("a value", () => {
  it("is shown as RTFS, over several lines where it is long", async () => {
    expect(await shownValue({ a: keyword("b") }, 80)).toBe("{:a :b}")
    expect(await shownValue({ first: "x".repeat(30), second: "y".repeat(30) }, 40)).toBe(
      `{:first "${"x".repeat(30)}"\n :second "${"y".repeat(30)}"}`
    )
    expect(await shownValue([() => 1, "x".repeat(30)], 20)).toBe(`[#<function> "${"x".repeat(30)}"]`)
  })

  it("is cut where it is very long, and says so", async () => {
    const shown = await shownValue(
      Array.from({ length: 100_000 }, (_, index) => index),
      80
    )
    expect(shown.length).toBeLessThan(4000)
    expect(shown).toMatch(/\n… and \d+ more characters$/)
    const lines = await shownValue(
      Array.from({ length: 40 }, () => "x".repeat(50)),
      80
    )
    expect(lines.split("\n").length).toBeLessThan(30)
    expect(lines).toMatch(/more characters$/)
  })
})

describe(":doc", () => {
  it("tells of forms, functions, types and capabilities, and what has a similar name", async () => {
    await using host = await StreamHost.start()
    expect(await documentationText("inc", host)).toMatch(
      /^\(inc number\) {3}\(function\)\n {2}One more\.\n {2}Fails: .*\n\n {2}\(inc 41\) {3}⇒ 42$/
    )
    expect(await documentationText("map", host)).toMatch(/\(function\)[^]*\(type\)/)
    expect(await documentationText("->", host)).toMatch(/stands for \(g \(f x a\)\)/)
    expect(await documentationText(":stream/map", host)).toMatch(/^:stream\.map\n[^]*:transform/)
    expect(await documentationText("upper", host)).toBe("There is nothing on upper. Similar: string-upper  string/upper-case")
  })
})

describe("pipedRepl", () => {
  const run = async (input: AsyncIterable<string>, signal = new AbortController().signal) => {
    await using host = await StreamHost.start()
    const texts = { out: "", err: "" }
    const collect = (name: "out" | "err") =>
      new Writable({
        write: (chunk: Buffer, _, done) => {
          texts[name] += chunk.toString()
          done()
        }
      })
    const output = new Output({ out: collect("out"), err: collect("err") })
    const invocation = { operand: undefined, operands: [], flags: {}, errors: {}, output }
    return { status: await pipedRepl(input, host.session(), invocation, signal), ...texts }
  }

  it("evaluates as the input arrives, and shows the failing line of a function that came earlier", async () => {
    const { err, out, status } = await run(Readable.from(["(defn f [x]\n", "  (/ x 0))\n12", "34\n(f 1)\n"]).setEncoding("utf8"))
    expect(out).toBe("#<function>\n1234\n")
    expect(err).toMatch(/standard input:2:3\n {2}2 \| {3}\(\/ x 0\)\)\n/)
    expect(status).toBe(1)
  })

  it("begins nothing more once it is to end", async () => {
    const stopping = new AbortController()
    const input = async function* () {
      yield "1\n"
      stopping.abort()
      yield "2\n"
    }
    expect(await run(input(), stopping.signal)).toEqual({ status: 0, out: "1\n", err: "" })
  })
})

// Each of these is a process of its own, so each says several things at once.
describe("repl through a pipe", () => {
  it("prints the value of each form, goes on after an error, and ends with the status of the first one", async () => {
    const input = `(def x 40)\n(defn f [a]\n  (+ a x)) (f 2) ; told\n(nope)\n"a\nb" (call :no.such.thing)\n(call :stream.map [1 2] {:transform f})\n:last`
    const { status, stderr, stdout } = await rtfsStreams(["repl"], { input })
    expect(stdout).toBe('40\n#<function>\n42\n"a\\nb"\n41\n42\n:last\n')
    expect(stderr).toMatch(/Undefined symbol: nope\n.*standard input:4:1\n {2}4 \| \(nope\)\n {6}\^/)
    expect(stderr).toMatch(/no\.such\.thing/)
    expect(status).toBe(1)
  })

  it("waits for streams, and fails with them; nothing is permitted unless flags permit it", async () => {
    const slow = join(folder, "slow.mjs")
    writeFileSync(slow, "export const slow = (n) => new Promise((resolve) => setTimeout(resolve, 50, n))")
    const input = `(call :stream.map [1 2] {:transform slow :on-chunk println})\n(call :stream.map [0] {:transform (fn [n] (/ 1 (slow n))) :on-chunk println})`
    const { status, stderr, stdout } = await rtfsStreams(["repl", "--bindings", slow], { input })
    expect(stdout).toMatch(/1\n2\n$/)
    expect(stderr).toMatch(/The stream program-1-2 failed\. .*Division by zero/s)
    expect(status).toBe(1)
    const denied = await rtfsStreams(["repl"], { input: `(call :stream.file.read "${slow}" {:format :lines})` })
    expect(denied).toMatchObject({ status: 77, stdout: "" })
    const granted = await rtfsStreams(["repl", "--allow-read", folder], { input: `(call :stream.file.read "${slow}" {:format :lines})` })
    expect(granted).toMatchObject({ status: 0, stdout: expect.stringContaining("export const slow") })
  })
})

const scriptCommand = "/usr/bin/script"

// util-linux's script gives the process a terminal.
describe.skipIf(process.platform !== "linux" || !existsSync(scriptCommand))("repl in a terminal", () => {
  it("prompts, continues, completes, cancels what is typed, cancels what waits, and leaves its history", async () => {
    const main = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url))
    const never = join(folder, "never.mjs")
    writeFileSync(never, "export const never = () => new Promise(() => {})")
    const child = spawn(scriptCommand, ["-qec", `${process.execPath} ${main} repl --bindings ${never}`, "/dev/null"], {
      env: { ...process.env, XDG_STATE_HOME: join(folder, "xdg"), TERM: "xterm" },
      timeout: 25_000
    })
    let text = ""
    let look = () => {}
    child.stdout.setEncoding("utf8").on("data", (more: string) => {
      text += more
      look()
    })
    /** Types, and waits for what that must show. */
    const type = (keys: string, expected: RegExp) =>
      new Promise<void>((resolve, reject) => {
        text = ""
        const timer = setTimeout(() => reject(new Error(`After ${JSON.stringify(keys)} there was no ${expected}: ${text}`)), 8000)
        look = () => {
          if (!expected.test(text)) return
          clearTimeout(timer)
          resolve()
        }
        child.stdin.write(keys)
      })
    await type("", /rtfs> /)
    await type("(+ 40\r", /\.\. /)
    await type("2)\r", /\n42\r\n[^]*rtfs> /)
    await type("(string-u\t", /string-upper/)
    await type("\u0003", /\^C[^]*rtfs> /)
    await type("(do (never) (println 1))\r", /\n/)
    await type("\u0003", /Cancelled\.[^]*rtfs> /)
    await type("\u001b[A\u001b[A", /\(\+ 40 2\)/)
    await type("\r", /\n42\r\n[^]*rtfs> /)
    const exited = once(child, "exit")
    child.stdin.write(":quit\r")
    expect(await exited).toEqual([0, null])
    expect(readFileSync(join(folder, "xdg", "rtfs-streams", "repl-history"), "utf8")).toBe(
      "(+ 40 2)\n(do (never) (println 1))\n(+ 40 2)\n:quit\n"
    )
  })
})
