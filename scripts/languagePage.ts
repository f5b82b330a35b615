import { documentation } from "../src/rtfs/documentation/index.ts"
import { format } from "../src/rtfs/format/format.ts"
import type { DocumentationEntry, DocumentationExample } from "../src/rtfs/index.ts"

/** docs/language/README.md: the language and its standard library, from the definitions that `:doc` shows too. */
export const languagePage = (): string => {
  const sections = Map.groupBy(documentation, ({ section }) => section)
  return `${[
    introduction,
    ...[...sections].map(
      ([section, entries]) =>
        `- [${section}](#${section.toLowerCase().replaceAll(" ", "-")}): ${entries.map(({ name }) => `\`${name}\``).join(" ")}`
    ),
    "",
    syntax,
    ...[...sections].flatMap(([section, entries]) => [
      "",
      `## ${section}`,
      ...(openings[section] === undefined ? [] : ["", openings[section]]),
      ...entries.flatMap(entryLines)
    ])
  ].join("\n")}\n`
}

const introduction = `# The language

RTFS 2.0 is a small pure Lisp: values never change, and the only effect is \`(call …)\`, which asks the host for a
capability. [The capabilities](../reference/README.md) have pages of their own. Written from the definitions by
\`npm run reference\`; every example here is run by a test. \`:doc NAME\` in \`rtfs-streams repl\` shows the same.
`

const syntax = `## Reading

\`\`\`rtfs
; a comment to the end of the line      #| a comment, also over lines |#
nil true false                          ; only nil and false count as false
42 -1 2.5e3 ##Inf ##-Inf ##NaN          ; integers of any size, floats
"a string\\n"                            ; escapes: \\n \\t \\r \\\\ \\"
:keyword :with.dots/and-slash           ; a keyword is a function too: (:id item)
symbol ns/name com.acme:v1.2/name
[1 2 3] {:a 1 "b" 2 3 4}                ; a comma is a blank; :a and "a" are the same key of a map
(f x y)                                 ; a call
'form \`form ~form ~@form                ; quote, quasiquote, unquote, splice
#(+ % 1) #(+ %1 %2)                     ; short functions
^{:runtime.timeout 500} (call :a.b)     ; hints for the host around a form
@name                                   ; a value of the host by name
\`\`\`

What is written nowhere in a program can't be reached by it: there is no clock, randomness, file or network but through
\`call\`, and no way into JavaScript.`

const openings: Readonly<Record<string, string>> = {
  "Calls of the host": "Functions whose names stand for a call. A program or a host can define these names otherwise.",
  "Stream forms":
    "Written forms that stand for calls of stream capabilities. A program that defines such a name itself hides the form. `rtfs-streams expand` shows what a program becomes.",
  Types: `A type behind a colon is checked: \`[x : int]\` or \`[x:int]\` where a name is bound, also \`[x :int]\` among parameters, and
behind the parameters for the result: \`(defn f [x :int] :string (str x))\`.

Schemas of capabilities such as \`stream.validate-types\` may also be written as maps:
\`{:type :map :required [:id] :properties {:id {:type :integer} :tags {:type :vector :items {:type :string}}}}\`. What does not
fit is told completely, as a vector of \`{:path :expected :actual :got :message}\`.`
}

const entryLines = ({ errors, examples, name, signature, summary }: DocumentationEntry): ReadonlyArray<string> => [
  "",
  `### \`${name}\``,
  "",
  ...(signature === name ? [] : [code(signature), ""]),
  summary,
  ...(errors === undefined ? [] : ["", `**Fails:** ${errors}`]),
  "",
  "```rtfs",
  ...examples.flatMap(exampleLines),
  "```"
]

/** Forms that are alternatives stand apart; a backquote inside needs two around. */
const code = (text: string): string => (text.includes("`") ? `\`\` ${text} \`\`` : `\`${text}\``)

const exampleLines = (example: DocumentationExample): ReadonlyArray<string> => {
  if ("expansion" in example) return [example.source, "; stands for", ...format(example.expansion).trimEnd().split("\n")]
  if ("call" in example) return [`${example.source} ; calls :${example.call}`]
  return [`${example.source} ; ${"value" in example ? `⇒ ${example.value}` : `fails with :${example.error}`}`]
}
