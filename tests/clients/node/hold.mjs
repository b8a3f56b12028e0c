// What every program here does: many queries at once, on a table that the test has locked, and a word on how they ended.
export const query = "select count(*) from gate";
export const url = process.env.DATABASE_URL;
export const max = process.env.DB_POOL_MAX ? Number(process.env.DB_POOL_MAX) : undefined;

process.on("SIGTERM", () => process.exit(0)); // process 1 of a container ends at no signal by itself

export async function hold(run) {
  const requests = Number(process.env.REQUESTS ?? 40);
  const ended = await Promise.allSettled(Array.from({ length: requests }, () => run()));
  const failed = ended.filter((one) => one.status === "rejected");
  const errors = [...new Set(failed.map((one) => String(one.reason).slice(0, 200)))];
  console.log(JSON.stringify({ ok: requests - failed.length, failed: failed.length, errors }));
  setInterval(() => {}, 1 << 30); // stays
}
