const durationUnits = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const sizeUnits = { "": 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3, T: 1024 ** 4 } as const

/** The milliseconds of `30s`, `500ms`, `1.5m`, `2h`, `1d`; a bare number is milliseconds. `undefined` for anything else. */
export const parseDuration = (written: string): number | undefined => {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(written)
  if (match === null) return undefined
  const milliseconds = Math.round(Number(match[1]) * durationUnits[(match[2] ?? "ms") as keyof typeof durationUnits])
  return Number.isSafeInteger(milliseconds) ? milliseconds : undefined
}

/** The bytes of `256MB`, `1.5GB`, `64KiB`, `1000000`; 1 KB is 1,024 bytes, as in programs. `undefined` for anything else. */
export const parseSize = (written: string): number | undefined => {
  const match = /^(\d+(?:\.\d+)?)(?:([KMGT]?)i?B)?$/i.exec(written)
  if (match === null) return undefined
  const bytes = Math.floor(Number(match[1]) * sizeUnits[(match[2] ?? "").toUpperCase() as keyof typeof sizeUnits])
  return Number.isSafeInteger(bytes) && bytes > 0 ? bytes : undefined
}

/** `1.5 MB`; three significant digits, in units of 1,024. */
export const formatSize = (bytes: number): string => {
  const units = ["B", "KB", "MB", "GB", "TB"]
  let unit = 0
  let amount = bytes
  // 999.5 would be shown as 1000 of the smaller unit.
  while (amount >= 999.5 && unit < units.length - 1) {
    amount /= 1024
    unit++
  }
  return `${significant(amount)} ${units[unit]}`
}

/** `1.2M`; three significant digits. */
export const formatCount = (count: number): string => {
  const units = ["", "k", "M", "G"]
  let unit = 0
  let amount = count
  while (amount >= 999.5 && unit < units.length - 1) {
    amount /= 1000
    unit++
  }
  return `${significant(amount)}${units[unit]}`
}

/** `4s`, `1:05`, `2:03:09`. */
export const formatDuration = (milliseconds: number): string => {
  const seconds = Math.round(milliseconds / 1000)
  const two = (part: number) => String(part).padStart(2, "0")
  if (seconds < 60) return `${seconds}s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)}:${two(seconds % 60)}`
  return `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`
}

const significant = (amount: number): string =>
  Number.isInteger(amount) || amount >= 99.95 ? String(Math.round(amount)) : amount.toFixed(amount >= 9.995 ? 1 : 2).replace(/\.?0+$/, "")
