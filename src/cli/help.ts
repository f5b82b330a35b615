import { alignedRows } from "./alignedRows.ts"
import { type Command, type CommandName, commands } from "./Command.ts"
import { type Flag, flags, type FlagName } from "./Flag.ts"

/** What `rtfs-streams --help` prints. */
export const overview = (): string =>
  [
    "rtfs-streams runs programs in RTFS, a small pure Lisp, as supervised streams.",
    "",
    "usage: rtfs-streams COMMAND [OPERAND] [FLAGS]",
    "",
    ...table(Object.entries<Command>(commands).map(([name, { operand, summary }]) => [`${name}${shownOperand(operand)}`, summary])),
    "",
    ...table([
      ["COMMAND --help", "shows the flags of a command"],
      ["--version", "prints the version"],
      ["COMMAND --debug", "shows the stack of an internal error"]
    ]),
    "",
    "A program may touch nothing but memory until flags such as --allow-read grant more.",
    "",
    "exit status:",
    ...table(Object.entries(meanings))
  ].join("\n")

/** What `rtfs-streams run --help` prints. */
export const helpOf = (name: CommandName): string => {
  const { flags: taken, operand, requiredFlags = [], summary }: Command = commands[name]
  const required = requiredFlags.map((flag) => ` --${flag} ${flags[flag].metavar}`).join("")
  const optional = taken.length > requiredFlags.length ? " [FLAGS]" : ""
  const lines = [`rtfs-streams ${name} ${summary}.`, "", `usage: rtfs-streams ${name}${shownOperand(operand)}${required}${optional}`]
  if (operand !== undefined) lines.push("", ...table([[operand.name, operand.summary]]))
  if (taken.length > 0) lines.push("", ...table(taken.map((flag) => [shownFlag(flag), flags[flag].summary])))
  return lines.join("\n")
}

const meanings: Readonly<Record<string, string>> = {
  0: "done",
  1: "the program failed while running",
  64: "the command line is wrong",
  65: "the program or its data is wrong",
  69: "a peer or server failed",
  70: "a limit was reached (fuel, memory, time, quota), or an internal error",
  73: "the data directory is in use",
  74: "a file could not be read or written, or a store is damaged",
  77: "not permitted",
  "130, 143": "ended by SIGINT, SIGTERM after draining"
}

const shownOperand = (operand: Command["operand"]): string => {
  if (operand === undefined) return ""
  const name = `${operand.name}${operand.repeated === true ? "…" : ""}`
  return operand.required ? ` ${name}` : ` [${name}]`
}

const shownFlag = (name: FlagName): string => {
  const flag: Flag<unknown> = flags[name]
  return `--${name}${flag.metavar === undefined ? "" : ` ${flag.metavar}`}${flag.repeated ? " …" : ""}`
}

const table = (rows: ReadonlyArray<readonly [string, string]>): ReadonlyArray<string> => alignedRows(rows, "  ")
