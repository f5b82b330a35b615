import { takeAuthority } from "./certificates.ts"

/** A URL of a server, parted into what the driver may see, what is ours, and what may stand in messages. */
export interface ServerUrl {
  /** With credentials, without our own parameter. */
  readonly url: string
  readonly location: string
  readonly parameter: string | undefined
  /** What `?ca=` says, for `trustOf`. */
  readonly authority: string | undefined
  /** Takes the password out of what a driver says. */
  readonly redacted: (message: string) => string
}

/** @returns `undefined` where it is no URL. The error that `URL` throws would show all of it. */
export const parseServerUrl = (text: string, parameter: string): ServerUrl | undefined => {
  if (!URL.canParse(text)) return undefined
  const url = new URL(text)
  const value = url.searchParams.get(parameter) ?? undefined
  // A user of NATS without a password is a token.
  const secret = url.password === "" && ["nats:", "tls:"].includes(url.protocol) ? url.username : url.password
  const secrets = [secret, decoded(secret), url.searchParams.get("password") ?? ""].filter((each) => each !== "")
  const location = `${url.protocol}//${url.host}${url.pathname === "/" ? "" : url.pathname}`
  url.searchParams.delete(parameter)
  const authority = takeAuthority(url)
  return {
    url: url.toString(),
    location: value === undefined ? location : `${location}?${parameter}=${value}`,
    parameter: value,
    authority,
    redacted: (message) => secrets.reduce((shown, each) => shown.replaceAll(each, "***"), message)
  }
}

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
