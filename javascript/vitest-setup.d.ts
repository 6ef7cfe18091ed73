/** Starts one server for all test files; returns what stops it. */
export default function setup(): Promise<(() => Promise<void>) | undefined>;
