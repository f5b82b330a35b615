import type { StreamHost } from "../../host/index.ts"
import { type DocumentationEntry, type DocumentationExample, loadDocumentation } from "../../rtfs/index.ts"
import { capabilityText } from "../capabilityText.ts"

/** What there is to say of a special form, function, stream form, type or capability. */
export const documentationText = async (name: string, host: StreamHost): Promise<string> => {
  const documentation = await loadDocumentation()
  const entries = documentation.filter((entry) => entry.name === name)
  if (entries.length > 0) return entries.map(entryText).join("\n\n")
  const capability = host.capabilities().find(({ id }) => id === name.replace(/^:/, "").replaceAll("/", "."))
  if (capability !== undefined) return capabilityText(capability)
  const part = name.replace(/^:/, "").toLowerCase()
  const similar = [...documentation.map((entry) => entry.name), ...host.capabilities().map(({ id }) => `:${id}`)].filter((other) =>
    other.toLowerCase().includes(part)
  )
  return `There is nothing on ${name}.${similar.length === 0 || part === "" ? "" : ` Similar: ${similar.slice(0, 12).join("  ")}`}`
}

const entryText = ({ errors, examples, kind, signature, summary }: DocumentationEntry): string =>
  [
    `${signature}   (${kind})`,
    `  ${summary}`,
    ...(errors === undefined ? [] : [`  Fails: ${errors}`]),
    "",
    ...examples.map((example) => `  ${exampleText(example)}`)
  ].join("\n")

const exampleText = (example: DocumentationExample): string => {
  if ("expansion" in example) return `${example.source}\n    stands for ${example.expansion}`
  if ("call" in example) return `${example.source}   calls :${example.call}`
  return `${example.source}   ${"value" in example ? `⇒ ${example.value}` : `fails with :${example.error}`}`
}
