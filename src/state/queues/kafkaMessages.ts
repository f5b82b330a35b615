import type { fetchV11, KafkaRecord, MessageToProduce, RecordsBatch } from "@platformatic/kafka"
import type { Delivery, NewMessage } from "./QueueBackend.ts"

const typeHeader = "content-type"
const keyHeader = "message-key"

/** What one call may carry for a partition; a larger message goes alone, and the server's `message.max.bytes` is the bound. */
const callBytes = 900_000

/** What a record costs beside its key, body and headers, at most. */
const recordBytes = 64

const isTransactional = 1 << 4
const isControl = 1 << 5
const isTimedByServer = 1 << 3

/** What a delivery is acknowledged by. */
export interface KafkaReceipt {
  readonly partition: number
  readonly offset: number
}

/** Parts messages into calls, in order. The key decides on the partition, as in other clients. */
export const kafkaCalls = (topic: string, messages: ReadonlyArray<NewMessage>): ReadonlyArray<ReadonlyArray<MessageToProduce>> => {
  const calls: Array<Array<MessageToProduce>> = []
  let bytes = Infinity
  for (const { body, contentType, headers, key, time } of messages) {
    const fields = new Map(
      Object.entries({ ...headers, [typeHeader]: contentType }).map(([name, text]) => [Buffer.from(name), Buffer.from(text)])
    )
    const record = { topic, key: Buffer.from(key), value: Buffer.from(body), headers: fields, timestamp: BigInt(Math.trunc(time)) }
    const size = [record.key, record.value, ...[...fields].flat()].reduce((sum, { byteLength }) => sum + byteLength, recordBytes)
    if (bytes + size > callBytes) {
      calls.push([])
      bytes = 0
    }
    calls.at(-1)!.push(record)
    bytes += size
  }
  return calls
}

export interface FetchedRecord {
  readonly offset: number
  /** Milliseconds since 1970. */
  readonly time: number
  readonly record: KafkaRecord
}

/** Whether it is one that a number can hold and that a partition may have. */
export const isOffset = (offset: number | undefined): offset is number => Number.isSafeInteger(offset) && offset! >= 0

/**
 * The records of what was fetched from one partition that are messages, and where to read on.
 *
 * **Fails** by throwing for offsets that do not ascend or are beyond their batch: a commit behind them would skip messages.
 */
export const messagesOf = (
  batches: ReadonlyArray<RecordsBatch>,
  aborted: ReadonlyArray<fetchV11.FetchResponsePartitionAbortedTransaction>
): { readonly records: ReadonlyArray<FetchedRecord>; readonly next: number } => {
  const records: Array<FetchedRecord> = []
  const toCome = aborted.toSorted((one, other) => Number(one.firstOffset - other.firstOffset))
  /** Producers whose transaction, under way at this place, was given up. */
  const givenUp = new Set<bigint>()
  let next = 0
  for (const { attributes, firstOffset, firstTimestamp, lastOffsetDelta, maxTimestamp, producerId, records: all } of batches) {
    const first = Number(firstOffset)
    if (!isOffset(first) || lastOffsetDelta < 0 || first < next) throw misplaced(firstOffset)
    next = first + lastOffsetDelta + 1
    while (toCome.length > 0 && toCome[0]!.firstOffset < next) givenUp.add(toCome.shift()!.producerId)
    if ((attributes & isControl) !== 0) {
      // A marker ends the producer's transaction; its key is the version and the kind.
      if (all[0]?.key?.readInt16BE(2) === 0) givenUp.delete(producerId)
      continue
    }
    if ((attributes & isTransactional) !== 0 && givenUp.has(producerId)) continue
    let before = -1
    for (const record of all) {
      if (record.offsetDelta <= before || record.offsetDelta > lastOffsetDelta) throw misplaced(firstOffset)
      before = record.offsetDelta
      const time = (attributes & isTimedByServer) !== 0 ? maxTimestamp : firstTimestamp + record.timestampDelta
      records.push({ offset: first + record.offsetDelta, time: Number(time), record })
    }
  }
  return { records, next }
}

const misplaced = (firstOffset: bigint): Error => new Error(`the batch at the offset ${firstOffset} has its records in the wrong places`)

/** @param attempts this time included */
export const kafkaDelivery = (partition: number, { offset, record, time }: FetchedRecord, attempts: number): Delivery => {
  const named: Array<readonly [string, string]> = record.key === null ? [] : [[keyHeader, record.key.toString()]]
  let contentType: string | undefined
  for (const [name, value] of record.headers) {
    if (name === null || value === null) continue
    const field = name.toString()
    if (field === typeHeader) contentType = value.toString()
    else named.push([field, value.toString()])
  }
  return {
    // With its time, since a topic that was made again has the same offsets.
    id: `${partition}-${offset}-${time.toString(36)}`,
    attempts,
    mayHaveComeBefore: true,
    // What no clock shows is none.
    time: time < 0 || time > 8.64e15 ? undefined : time,
    // Parts of an answer that would be kept as a whole for one small message.
    body: record.value === null ? new Uint8Array() : new Uint8Array(record.value),
    contentType,
    headers: Object.fromEntries(named),
    receipt: { partition, offset } satisfies KafkaReceipt
  }
}
