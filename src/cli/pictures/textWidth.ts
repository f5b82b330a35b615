/** How many columns of a monospaced font a text takes, by and large: full-width characters and emoji take two, marks none. */
export const displayWidth = (text: string): number => {
  let width = 0
  for (const char of text)
    width += /\p{M}|\u200D|\uFE0F/u.test(char)
      ? 0
      : /[\u1100-\u115F\u2E80-\uA4CF\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF00-\uFF60\uFFE0-\uFFE6]|\p{Emoji_Presentation}/u.test(char)
          || char.codePointAt(0)! > 0xffff
        ? 2
        : 1
  return width
}

/** A text in lines of at most so many columns, broken at spaces where there are any; never empty. */
export const wrapped = (text: string, columns: number): ReadonlyArray<string> => {
  const lines: Array<string> = []
  let line = ""
  for (const word of text.split(/\s+/u)) {
    if (line !== "" && displayWidth(line) + 1 + displayWidth(word) > columns) {
      lines.push(line)
      line = ""
    }
    line = line === "" ? word : `${line} ${word}`
    while (displayWidth(line) > columns) {
      const head = cut(line, columns)
      lines.push(head)
      line = line.slice(head.length)
    }
  }
  return line === "" && lines.length > 0 ? lines : [...lines, line]
}

/** At least one character, so that whoever cuts gets on. */
const cut = (text: string, columns: number): string => {
  let head = ""
  for (const char of text) {
    if (head !== "" && displayWidth(head + char) > columns) return head
    head += char
  }
  return head
}
