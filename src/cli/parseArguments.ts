import { nearest } from "../serialization/index.ts"
import { type Command, type CommandName, commands, isCommandName } from "./Command.ts"
import { type Flag, type FlagName, flags, type FlagValues } from "./Flag.ts"
import { UsageError } from "./UsageError.ts"

export type Arguments =
  | { readonly kind: "help"; readonly command: CommandName | undefined }
  | { readonly kind: "version" }
  | { readonly kind: "command"; readonly command: CommandName; readonly operands: ReadonlyArray<string>; readonly flags: FlagValues }

/**
 * What was asked for.
 *
 * Flags may stand anywhere after the command, as `--name value` or `--name=value`; `--` ends them. What starts with a
 * dash and a digit is an operand, so that `eval -1` works.
 *
 * **Fails** with `UsageError`.
 */
export const parseArguments = (argv: ReadonlyArray<string>): Arguments => {
  const [first, ...rest] = argv
  if (first === undefined) throw new UsageError("No command was given.")
  if (first === "--help" || first === "-h") return { kind: "help", command: undefined }
  if (first === "--version" || first === "-V") return { kind: "version" }
  if (first === "help") {
    if (rest[0] !== undefined && !isCommandName(rest[0])) throw unknownCommand(rest[0])
    return { kind: "help", command: rest[0] }
  }
  if (!isCommandName(first))
    throw first.startsWith("-") ? new UsageError(`The command comes first, then its flags; ${first} is none.`) : unknownCommand(first)

  const end = rest.indexOf("--")
  if (rest.slice(0, end < 0 ? rest.length : end).some((word) => word === "--help" || word === "-h")) return { kind: "help", command: first }
  const { flags, operands } = readWords(first, rest)
  return { kind: "command", command: first, operands: checkedOperands(first, operands), flags: complete(first, flags) }
}

const unknownCommand = (name: string): UsageError => {
  const near = nearest(name, Object.keys(commands))
  return new UsageError(
    `There is no command ${JSON.stringify(name)}; ${near === undefined ? `there are ${Object.keys(commands).join(", ")}.` : `did you mean ${near}?`}`
  )
}

const readWords = (command: CommandName, words: ReadonlyArray<string>) => {
  const given: Partial<Record<FlagName, unknown>> = {}
  const operands: Array<string> = []
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!
    if (word === "--") {
      operands.push(...words.slice(at + 1))
      break
    }
    if (!word.startsWith("-") || word === "-" || /^-\d/.test(word)) {
      operands.push(word)
      continue
    }
    const equals = word.indexOf("=")
    const name = knownFlag(command, equals < 0 ? word : word.slice(0, equals))
    const flag: Flag<unknown> = flags[name]
    let written = equals < 0 ? undefined : word.slice(equals + 1)
    if (flag.metavar === undefined) {
      if (written !== undefined) throw new UsageError(`--${name} takes no value.`, command)
      written = ""
    } else if (written === undefined) {
      written = words[++at]
      if (written === undefined || written.startsWith("--")) {
        throw new UsageError(`--${name} needs ${flag.expected} after it.`, command)
      }
    }
    const value = flag.parse(written)
    if (value === undefined) throw new UsageError(`--${name} takes ${flag.expected}, not ${JSON.stringify(written)}.`, command)
    if (given[name] === undefined || flag.metavar === undefined) given[name] = value
    else if (flag.repeated) given[name] = [...(given[name] as ReadonlyArray<unknown>), ...(value as ReadonlyArray<unknown>)]
    else throw new UsageError(`--${name} was given twice; it takes one value.`, command)
  }
  return { flags: given as FlagValues, operands }
}

const knownFlag = (command: CommandName, word: string): FlagName => {
  const { flags: taken }: Command = commands[command]
  const name = taken.find((candidate) => `--${candidate}` === word)
  if (name !== undefined) return name
  if (word === "--debug") return "debug"
  const others = Object.keys(commands).filter((other) =>
    (commands[other as CommandName] as Command).flags.some((flag) => `--${flag}` === word)
  )
  const near = nearest(word.replace(/^-+/, ""), taken)
  throw new UsageError(
    others.length > 0
      ? `${command} has no flag ${word}; that is one of ${others.join(", ")}.`
      : near !== undefined
        ? `${command} has no flag ${word}; did you mean --${near}?`
        : `${command} has no flag ${word}. ${taken.length === 0 ? "It takes none." : `It takes ${taken.map((flag) => `--${flag}`).join(" ")}.`}`,
    command
  )
}

const checkedOperands = (command: CommandName, operands: ReadonlyArray<string>): ReadonlyArray<string> => {
  const { operand }: Command = commands[command]
  if (operand === undefined) {
    if (operands.length > 0) throw new UsageError(`${command} takes flags only, not ${JSON.stringify(operands[0])}.`, command)
    return operands
  }
  if (operands.length > 1 && operand.repeated !== true) {
    const hint = operand.name === "EXPR" ? " Put the expression in quotes." : ""
    throw new UsageError(`${command} takes one ${operand.name}, but got ${operands.length}.${hint}`, command)
  }
  if (operand.required && operands.length === 0) throw new UsageError(`${command} needs ${operand.name}: ${operand.summary}.`, command)
  return operands
}

const complete = (command: CommandName, given: FlagValues): FlagValues => {
  const { requiredFlags = [] }: Command = commands[command]
  for (const name of requiredFlags) {
    if (given[name] === undefined)
      throw new UsageError(`${command} needs --${name} ${flags[name].metavar}: ${flags[name].summary}.`, command)
  }
  return given
}
