import type { Overflow } from "../../src/actors/index.ts"
import type { Frame } from "../../src/serialization/index.ts"

/** What is known of one edge from outside: lists and numbers. */
export interface EdgeModel {
  /** Taken and not yet gone, in order. */
  readonly held: Array<Frame>
  /** The frame handed out and not yet released. */
  inWork: Frame | undefined
  isBlocked: boolean
}

export interface Bounds {
  readonly maxFrames: number
  readonly maxItems: number
  readonly maxBytes: number
}

export const itemsOf = (frames: ReadonlyArray<Frame>): number => frames.reduce((sum, frame) => sum + frame.count, 0)
export const bytesOf = (frames: ReadonlyArray<Frame>): number => frames.reduce((sum, frame) => sum + frame.byteLength, 0)

/** Within the bounds, or one frame alone. */
export const isWithin = (frames: ReadonlyArray<Frame>, { maxFrames, maxItems, maxBytes }: Bounds): boolean =>
  frames.length <= 1 || (frames.length <= maxFrames && itemsOf(frames) <= maxItems && bytesOf(frames) <= maxBytes)

export const isData = (frame: Frame): boolean => frame.kind === "data" || frame.kind === "watermark"

/** What must have become of a frame that was offered while no sender waited: held after `gone` were dropped, dropped, or neither. */
export const offered = (
  edge: EdgeModel,
  frame: Frame,
  bounds: Bounds,
  overflow: Overflow
): { readonly isDealtWith: boolean; readonly gone: ReadonlyArray<Frame> } => {
  if (isWithin([...edge.held, frame], bounds)) return { isDealtWith: true, gone: [] }
  if (overflow === "drop-oldest") {
    const candidates = edge.held.filter((held) => isData(held) && held !== edge.inWork)
    for (let number = 1; number <= candidates.length; number++) {
      const gone = candidates.slice(0, number)
      if (isWithin([...edge.held.filter((held) => !gone.includes(held)), frame], bounds)) return { isDealtWith: true, gone }
    }
  }
  return overflow.startsWith("drop") && isData(frame) ? { isDealtWith: true, gone: [frame] } : { isDealtWith: false, gone: [] }
}
