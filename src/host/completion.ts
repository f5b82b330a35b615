/** What can be written at the end of a text. */
export interface Completion {
  /** Where the word that is being written begins; each candidate takes its place. */
  readonly start: number
  readonly candidates: ReadonlyArray<string>
}

/** What completion chooses from. */
export interface Vocabulary {
  /** Symbols: special forms, functions, definitions, bindings. */
  readonly names: Iterable<string>
  readonly capabilities: Iterable<string>
  /** The option names of a capability; empty for what is none. */
  readonly optionsOf: (id: string) => Iterable<string>
}

/**
 * Completes the last word of a text, which usually is no whole program: after `(call :` an id, among the options of a
 * call an option that was not given yet, elsewhere a symbol. In strings and comments there is nothing to complete.
 */
export const completionOf = (text: string, vocabulary: Vocabulary): Completion => {
  const scanned = scan(text)
  if (scanned === undefined) return { start: text.length, candidates: [] }
  const { start, stack } = scanned
  const word = text.slice(start)
  const words = word === "" || word.startsWith(":") ? keywordsAt(stack, vocabulary) : vocabulary.names
  const candidates = new Set([...words].filter((candidate) => candidate.startsWith(word) && candidate !== word))
  return { start, candidates: [...candidates].toSorted() }
}

/** An open bracket, with the words that stand directly in it; what is nested counts as one. */
interface Open {
  readonly bracket: string
  readonly items: Array<string>
}

const keywordsAt = (stack: ReadonlyArray<Open>, vocabulary: Vocabulary): ReadonlyArray<string> => {
  const here = stack.at(-1)
  if (here === undefined) return []
  if (here.bracket === "(" && here.items.length === 1 && here.items[0] === "call") return [...vocabulary.capabilities].map((id) => `:${id}`)
  const around = stack.at(-2)
  if (here.bracket !== "{" || here.items.length % 2 !== 0 || around?.bracket !== "(") return []
  const id = around.items[0] === "call" ? around.items[1]?.replace(/^:/, "").replaceAll("/", ".") : around.items[0]
  if (id === undefined) return []
  return [...vocabulary.optionsOf(id)]
    .map((name) => `:${name}`)
    .filter((name) => !here.items.some((item, index) => index % 2 === 0 && item === name))
}

const separators = new Set(" \t\r\n,'`~^@")
const closers: Readonly<Record<string, string>> = { ")": "(", "]": "[", "}": "{" }

/** The brackets that are open at the end, and where the last word begins; undefined inside of a string or comment. */
const scan = (text: string): { readonly stack: ReadonlyArray<Open>; readonly start: number } | undefined => {
  const stack: Array<Open> = []
  let start = 0
  let index = 0
  const endWord = (end: number) => {
    if (end > start) stack.at(-1)?.items.push(text.slice(start, end))
  }
  while (index < text.length) {
    const character = text[index]!
    const next = ignored(text, index)
    if (next === undefined) return undefined
    if (next > index) {
      endWord(index)
      if (character === '"') stack.at(-1)?.items.push('"')
      start = index = next
      continue
    }
    index++
    if ("([{".includes(character)) {
      // A word directly before is the # of a short function.
      stack.push({ bracket: character, items: [] })
      start = index
    } else if (character in closers) {
      endWord(index - 1)
      if (stack.at(-1)?.bracket === closers[character]) stack.pop()
      stack.at(-1)?.items.push(character)
      start = index
    } else if (separators.has(character)) {
      endWord(index - 1)
      start = index
    }
  }
  return { stack, start }
}

/** Behind the string or comment that begins there, or there where none does; undefined for one without an end. */
const ignored = (text: string, index: number): number | undefined => {
  if (text[index] === '"') {
    for (let at = index + 1; at < text.length; at++) {
      if (text[at] === "\\") at++
      else if (text[at] === '"') return at + 1
    }
    return undefined
  }
  const close = text[index] === ";" ? "\n" : text.startsWith("#|", index) ? "|#" : undefined
  if (close === undefined) return index
  const end = text.indexOf(close, index + 1)
  return end < 0 ? undefined : end + close.length
}
