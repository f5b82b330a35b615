import { builtins, type Capability } from "../src/capabilities/index.ts"
import type { CapabilityDescription } from "../src/host/CapabilityDescription.ts"
import { describeCapability } from "../src/host/describeCapability.ts"

/** The reference pages by file name: one for each capability, and a list of all. */
export const referencePages = (): ReadonlyMap<string, string> => {
  const described = builtins.map((capability) => ({ capability, page: describeCapability(capability) }))
  return new Map([
    ["README.md", listPage(described.map(({ page }) => page))],
    ...described.map(({ capability, page }) => [`${page.id}.md`, capabilityPage(capability, page)] as const)
  ])
}

const listPage = (pages: ReadonlyArray<CapabilityDescription>): string =>
  lines(
    "# Capabilities",
    "",
    "Everything that a program reaches with `(call :id …)`. Written from the definitions by `npm run reference`;",
    "`rtfs-streams capabilities ID` shows the same in a terminal.",
    "",
    "| Capability | Kind | |",
    "| --- | --- | --- |",
    ...pages.map(({ id, kind, summary }) => `| [\`:${id}\`](${id}.md) | ${kind} | ${summary} |`)
  )

const capabilityPage = (capability: Capability, page: CapabilityDescription): string =>
  lines(
    `# \`:${page.id}\``,
    "",
    page.summary,
    "",
    "```rtfs",
    page.example,
    "```",
    "",
    `Specification: ${page.spec}. Kind: ${page.kind}. Effects: ${page.effects.length === 0 ? "none" : page.effects.map((effect) => `\`${effect}\``).join(", ")}.`,
    ...(page.short === undefined ? [] : ["", `Short form in pipelines: \`${page.short}\`.`]),
    ...(capability.kind !== "control" && capability.consuming.length > 0
      ? ["", `Starts at once with ${capability.consuming.map((name) => `\`:${name}\``).join(" or ")}; otherwise the call gives a stream value.`]
      : []),
    ...(capability.kind !== "control" && capability.startsAtOnce ? ["", "Starts at once, and gives a handle."] : []),
    ...(page.arguments.length === 0 ? [] : ["", `Arguments: ${page.arguments.map((name) => `\`${name}\``).join(", ")}${page.options.length > 0 ? ", then a map of options" : ""}.`]),
    ...optionTable(page),
    ...semantics(page),
    ...page.notes.flatMap((note) => ["", note])
  )

const optionTable = ({ options }: CapabilityDescription): ReadonlyArray<string> =>
  options.length === 0
    ? []
    : [
        "",
        "## Options",
        "",
        "| Option | Takes | Without it | |",
        "| --- | --- | --- | --- |",
        ...options.map((option) => `| \`:${option.name}\` | ${cell(option.type)} | ${withoutIt(option)} | ${cell(option.description)} |`)
      ]

const withoutIt = (option: CapabilityDescription["options"][number]): string =>
  option.required ? "required" : option.default === undefined ? "" : option.default === null ? "`nil`" : `\`${typeof option.default === "string" ? `:${option.default}` : String(option.default)}\``

const semantics = (page: CapabilityDescription): ReadonlyArray<string> => {
  const rows = [
    ["Order", page.order],
    ["Delivery", page.delivery],
    ["Backpressure", page.backpressure]
  ].filter(([, text]) => text !== undefined)
  return rows.length === 0 ? [] : ["", "## Under stress", "", ...rows.map(([name, text]) => `- **${name}.** ${text}`)]
}

const cell = (text: string): string => text.replaceAll("|", "\\|")

const lines = (...all: ReadonlyArray<string>): string => `${all.join("\n")}\n`
