import { ToolProblem } from "./ToolProblem.ts"

/** Of whose items a cursor speaks: a stream's outputs or chunks, in one life of it. */
export interface CursorEpoch {
  /** Made with the stream, and kept with it: tells its cursors from those of others. */
  readonly token: string
  readonly of: "outputs" | "chunks"
  /** 1 for the first; one more after each restart of the server. */
  readonly life: number
  /** What a reader has to know whose cursor is of an earlier life. */
  readonly restarted: string
}

/** A place in what a stream gave, as text that says nothing to whoever holds it. */
export const writeCursor = ({ life, of, token }: CursorEpoch, seq: number): string => `${token}-${marks[of]}${life}.${seq}`

/**
 * The number that a cursor stands for, at most `last + 1`.
 *
 * **Fails** by throwing `ToolProblem` for a cursor of another stream, of the other kind of items, or of an earlier life: what
 * that life gave is gone, and the numbers begin anew.
 */
export const readCursor = (epoch: CursorEpoch, cursor: string, last: number): number => {
  const [, token, mark, life, seq] = /^([\w-]+)-([oc])(\d+)\.(\d+)$/.exec(cursor) ?? []
  if (token !== epoch.token) {
    throw new ToolProblem(
      "The cursor is not one of this stream: it belongs to another one, or to a server that was restarted",
      "Call stream_read without a cursor for what is kept, or stream_list for the streams there are."
    )
  }
  if (mark !== marks[epoch.of]) {
    const other = epoch.of === "outputs" ? "chunks" : "outputs"
    throw new ToolProblem(
      `The cursor is one of the ${other} of this stream, and not of its ${epoch.of}`,
      `Call stream_read with from: ${other}, or without a cursor.`
    )
  }
  const number = Number(seq)
  if (Number(life) < epoch.life && number >= 1) {
    throw new ToolProblem(
      `The cursor is from before the server was restarted. ${number === 1 ? "No item had been read then" : `Items 1 to ${number - 1} had been read then`}; what came after them and was not read is lost, since outputs are not kept over a restart. ${epoch.restarted}`,
      "Call stream_read without a cursor for what the stream has given since; numbers begin at 1 again."
    )
  }
  if (Number(life) !== epoch.life || !Number.isSafeInteger(number) || number < 1 || number > last + 1) {
    throw new ToolProblem("The cursor is none that this stream has given", "Call stream_read without a cursor for what is kept.")
  }
  return number
}

const marks = { outputs: "o", chunks: "c" } as const
