// What Google's client for Node makes of the simulator, as JSON on standard output. Arguments: base address.
// The package is found by way of NODE_PATH's folder, which the test names in the environment: it is installed for each run.
import { createRequire } from "node:module";

const require = createRequire(`${process.env.JUDGE_MODULES}/`);
const { youtube } = require("@googleapis/youtube");

const rootUrl = `${process.argv[2]}/`;
const ask = (auth) => youtube({ version: "v3", auth, rootUrl });
const ours = ask("key-one");

async function refused(call) {
  try {
    await call();
    return null;
  } catch (error) {
    const said = error.response?.data?.error;
    return {
      status: error.response?.status ?? null,
      code: String(error.code),
      reason: said?.errors?.[0]?.reason ?? null,
      detail: said?.details?.[0]?.reason ?? null,
      unit: said?.details?.[0]?.metadata?.quota_unit ?? null,
    };
  }
}

const found = [];
let pageToken;
for (let page = 0; page < 3; page += 1) {
  const { data } = await ours.search.list({ part: ["snippet"], q: "music", type: ["video"], order: "date", maxResults: 10, pageToken });
  found.push(...data.items.map((item) => item.id.videoId));
  pageToken = data.nextPageToken;
}

const ids = found.slice(0, 20);
const videos = (await ours.videos.list({ part: ["snippet", "statistics", "contentDetails", "status"], id: [...ids, "AAAAAAAAAAA"] })).data;
const stats = (await ours.videos.batchGetStats({ part: ["id", "statistics"], id: ids })).data;
const channelId = videos.items[0].snippet.channelId;
const channel = (await ours.channels.list({ part: ["snippet", "contentDetails", "statistics"], id: [channelId] })).data.items[0];
const byHandle = (await ours.channels.list({ part: ["id"], forHandle: channel.snippet.customUrl })).data.items[0];
const playlistId = channel.contentDetails.relatedPlaylists.uploads;

const uploads = [];
let next;
do {
  const { data } = await ours.playlistItems.list({ part: ["contentDetails"], playlistId, maxResults: 7, pageToken: next });
  uploads.push(...data.items.map((item) => item.contentDetails.videoId));
  next = data.nextPageToken;
} while (next);

const chart = (await ours.videos.list({ part: ["snippet"], chart: "mostPopular", regionCode: "US", maxResults: 5 })).data;
const categories = (await ours.videoCategories.list({ part: ["snippet"], regionCode: "US" })).data;

const errors = {
  key: await refused(() => ask("junk").videos.list({ part: ["id"], id: ["AAAAAAAAAAA"] })),
  playlist: await refused(() => ours.playlistItems.list({ part: ["id"], playlistId: `UU${"A".repeat(22)}` })),
  ids: await refused(() => ours.videos.list({ part: ["id"], id: Array(51).fill("AAAAAAAAAAA") })),
  token: await refused(() => ours.search.list({ part: ["id"], pageToken: "rubbish" })),
};
const small = ask("small");
for (let call = 0; call < 2; call += 1) {
  await small.videos.list({ part: ["id"], id: ["AAAAAAAAAAA"] });
  await small.search.list({ part: ["id"], q: "music" });
}
// Without retries: gaxios would ask a spent bucket three times more.
errors.general = await refused(() => small.videos.list({ part: ["id"], id: ["AAAAAAAAAAA"] }, { retry: false }));
errors.search = await refused(() => small.search.list({ part: ["id"], q: "music" }, { retry: false }));

console.log(
  JSON.stringify({
    found,
    videos: videos.items.map((item) => [item.id, item.statistics.viewCount ?? null, item.snippet.title]),
    stats: stats.items.map((item) => [item.id, item.statistics.viewCount ?? null]),
    channelId,
    handleLeadsTo: byHandle.id,
    videoCount: channel.statistics.videoCount,
    uploads,
    chart: chart.items.map((item) => item.snippet.categoryId),
    categories: Object.fromEntries(categories.items.map((item) => [item.id, item.snippet.title])),
    errors,
  }),
);
