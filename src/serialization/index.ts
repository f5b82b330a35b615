export { decodeValue, encodeValue } from "./Codec.ts"
export { detach, detachString } from "./Detach.ts"
export { valuesEqual } from "./Equality.ts"
export { DamagedSegment, MalformedBytes, SegmentFailed, UnencodableValue, ValueTooDeep, ValueTooLarge } from "./errors.ts"
export { ErrorValue } from "./ErrorValue.ts"
export {
  decodeFrame,
  Frame,
  frameFromBytes,
  type FrameKind,
  type FrameLayout,
  frameToBytes,
  type Handover,
  type KeptItems,
  signalFrame,
  signalValue,
  takeItems
} from "./Frame.ts"
export { FrameEncoder } from "./FrameEncoder.ts"
export { HostObject } from "./HostObject.ts"
export { JsonLineParser, type JsonLines } from "./JsonLines.ts"
export { isKeyword, Keyword, keyword } from "./Keyword.ts"
export { makeFolders } from "./makeFolders.ts"
export { isPlainKey, isPlainMap } from "./MapKey.ts"
export { type LineBlock, type LineScanner, makeLineScanner } from "./LineScanner.ts"
export { nearest, nearestOrPart } from "./nearest.ts"
export { type SegmentRecord } from "./SegmentFile.ts"
export { SegmentLog, type SegmentLogOptions } from "./SegmentLog.ts"
export { type SegmentPosition, SegmentReader } from "./SegmentReader.ts"
export type { SegmentRepair } from "./SegmentRepair.ts"
export { fileSegmentStorage, type SegmentHandle, type SegmentStorage } from "./SegmentStorage.ts"
export { keyOf } from "./ValueKey.ts"
export { TaggedError } from "./TaggedError.ts"
