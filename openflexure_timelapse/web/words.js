/* What the microscope's terms mean, in sentences: what happened, what it means for the
   run, what a person can do. */

export const ACTIVE = ["waiting", "running", "paused", "finishing"];
export const OUTCOMES = ["captured", "late", "skipped", "failed"];

const REASONS = {
  overdue: "The time point before took too long. Use a longer interval, or fewer positions or planes.",
  paused: "The run was paused; a pause leaves time points out and moves none.",
  disk_full: "The disk was full. Free some space; the run goes on by itself.",
  disk_error: "The disk could not be written: it failed, was read-only, or was not there. The run goes on by itself when it is back.",
  interrupted: "The microscope's server was not running, for example after a power cut. The run went on when it was back.",
  busy: "Somebody else was using the camera or the stage. Nothing to do; the next time point tries again.",
  timeout: "Camera or stage did not answer in time. The run goes on; if it happens often, check the cables.",
  hardware: "Camera or light reported an error. The run goes on; if it happens often, restart the microscope.",
  stage: "The stage did not get there. The run goes on; check that nothing blocks it.",
  incomplete_image: "The picture arrived incomplete, twice. The run goes on.",
  memory: "The microscope's computer had too little memory. The run goes on; close what else runs there.",
  storage: "The picture could not be written. The run goes on; check the disk.",
  stopped: "The run was stopped before.",
  run_failed: "The run had ended by a failure before.",
};

export const reasonText = (reason) => REASONS[reason] || "";

export const phaseText = (status) => ({
  waiting: "Waiting for the start",
  running: "Recording",
  finishing: "Finishing: the last frame is saved and the movie is made",
  paused: pausedText(status),
  ended: endedText(status),
}[status.phase] || "");

function pausedText(status) {
  return {
    disk_full: "Paused because the disk is full. Nothing is lost; free some space and it goes on by itself.",
    disk_error: "Paused because the disk cannot be written. Check it, or put it back; the run goes on by itself.",
  }[status.pause_reason] || "Paused. Time points are left out until you go on.";
}

function endedText(status) {
  const told = {
    completed: "Finished.",
    stopped: "Stopped. The frames until then are kept.",
    failed: "Ended by a failure. The frames until then are kept.",
  }[status.end_reason] || "Ended.";
  const missing = status.counts.skipped + status.counts.failed;
  const gaps = missing && status.end_reason === "completed"
    ? ` ${missing.toLocaleString()} of ${status.slots.toLocaleString()} time points have no frame; tap the bar for the reasons.` : "";
  return `${told}${gaps}${status.detail ? ` ${status.detail}` : ""}`;
}

export const outcomeText = (counts) =>
  OUTCOMES.filter((name) => counts[name]).map((name) => `${counts[name].toLocaleString()} ${name}`).join(", ");

const FLAGS = { bright: "overexposed", repeated: "the same as the one before", wrong_size: "of another size" };

export const flagText = (flags) => (flags || []).map((flag) => FLAGS[flag] || flag).join(", ");

const JOBS = { queued: "waits for its turn", running: "under way" };

const KINDS = { verify: "Check of the files", share: "Bundle" };

export const jobText = (job) => `${KINDS[job.kind] || "Movie"}: ${JOBS[job.state] || job.state}`;
