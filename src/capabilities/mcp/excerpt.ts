/** The beginning of what a peer said, as one line: servers answer with whole pages. */
export const excerpt = (text: string): string => {
  const plain = text
    .replaceAll(/<[^<>]{0,200}>/g, " ")
    .replaceAll(/\s+/g, " ")
    .trim()
  return plain.length > 200 ? `${plain.slice(0, 200)}…` : plain
}
