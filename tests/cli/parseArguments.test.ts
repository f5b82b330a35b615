import { describe, expect, it } from "vitest"
import { helpOf, overview } from "../../src/cli/help.ts"
import { type CommandName, commands } from "../../src/cli/Command.ts"
import { parseArguments } from "../../src/cli/parseArguments.ts"
import { UsageError } from "../../src/cli/UsageError.ts"

const parse = (line: string) => parseArguments(line.split(" "))

describe("parseArguments", () => {
  it("takes flags before and after the operand, with a space or an equals sign", () => {
    expect(parse("run --memory 256MB p.rtfs --timeout=30s --json")).toEqual({
      kind: "command",
      command: "run",
      operands: ["p.rtfs"],
      flags: { memory: 256 * 1024 * 1024, timeout: 30_000, json: true }
    })
  })

  it("collects repeated flags in their order", () => {
    expect(parse("run p --allow-read a --allow-net h:443 --allow-read=b --allow-net [::1]:*")).toMatchObject({
      flags: { "allow-read": ["a", "b"], "allow-net": ["h:443", "[::1]:*"] }
    })
  })

  it("takes a negative number and what follows -- for an expression", () => {
    expect(parse("eval -1")).toMatchObject({ operands: ["-1"] })
    expect(parse("eval -- --x")).toMatchObject({ operands: ["--x"] })
    expect(parse("run -")).toMatchObject({ operands: ["-"] })
  })

  it("keeps an equals sign inside of a value", () => {
    expect(parse("run p --allow-db=postgres://h/d?a=b")).toMatchObject({ flags: { "allow-db": ["postgres://h/d?a=b"] } })
  })

  it("shows help wherever it is asked for", () => {
    expect(parse("--help")).toEqual({ kind: "help", command: undefined })
    expect(parse("help run")).toEqual({ kind: "help", command: "run" })
    expect(parse("run p --memory --help")).toEqual({ kind: "help", command: "run" })
    expect(parse("-V")).toEqual({ kind: "version" })
    expect(parse("eval -- --help")).toMatchObject({ operands: ["--help"] })
  })

  it.each([
    ["", "There is no command"],
    ["rnu p", 'no command "rnu"; did you mean run?'],
    ["frobnicate p", 'no command "frobnicate"; there are run, '],
    ["run p --memroy 5MB", "run has no flag --memroy; did you mean --memory?"],
    ["--json run p", "The command comes first"],
    ["run", "run needs FILE"],
    ["run a b", "run takes one FILE, but got 2"],
    ["eval (+ 1 2)", "Put the expression in quotes"],
    ["run p --nope", "run has no flag --nope. It takes --bindings"],
    ["check p --allow-all", "that is one of run, eval, repl, explain"],
    ["run p --memory", "--memory needs a size"],
    ["run p --memory --json", "--memory needs a size"],
    ["run p --memory 3parsecs", 'takes a size such as 256MB or 1GB, not "3parsecs"'],
    ["run p --memory 0", "takes a size"],
    ["run p --timeout 5y", "takes a duration"],
    ["run p --json=yes", "--json takes no value"],
    ["run p --timeout 1s --timeout 2s", "given twice"],
    ["run p --progress loud", "one of auto, plain, off"],
    ["run p --allow-net example.com", "HOST:PORT"],
    ["run p --allow-net h:99999", "HOST:PORT"],
    ["decode", "decode needs --in FILE"],
    ["decode f --in g", "takes flags only"],
    ["help nope", "no command"]
  ])("refuses %j, saying what to write", (line, message) => {
    expect(() => parse(line)).toThrow(UsageError)
    expect(() => parse(line)).toThrow(message)
  })

  it("refuses an empty command line", () => {
    expect(() => parseArguments([])).toThrow("No command was given")
  })

  it("has a help for every command that names each of its flags", () => {
    for (const name of Object.keys(commands) as Array<CommandName>) {
      expect(overview()).toContain(`  ${name}`)
      for (const flag of commands[name].flags) expect(helpOf(name)).toContain(`--${flag}`)
    }
    expect(Math.max(...[overview(), helpOf("run")].flatMap((text) => text.split("\n")).map((line) => line.length))).toBeLessThan(120)
  })
})
