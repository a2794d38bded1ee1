//! The limit of memory against the machine and its groups, and other limits against that one.

use super::{View, size, system};

/// Of the memory that there is, what the data may take if a child is to save them: the pages that
/// are written meanwhile are copied.
const WITH_FORK_PERCENT: u64 = 75;

pub(super) fn check(view: &mut View<'_>) {
    limit(view);
    policy(view);
    clients(view);
    kernel(view);
}

/// Whether anything is saved by a forked child.
fn forks(view: &View<'_>) -> bool {
    let config = view.config();
    !config.snapshot.save_points.is_empty() || config.aof.enabled
}

fn limit(view: &mut View<'_>) {
    let machine = view.world.machine;
    let max = view.config().memory.max_memory;
    if max == 0 {
        if let Some(limit) = &machine.cgroup {
            let text = format!(
                "no limit of memory, but the control group allows {} ({}): the system ends the \
                 server when it needs more",
                size(limit.bytes),
                limit.file.display()
            );
            let fix = format!("maxmemory {}mb", (limit.bytes / 100 * WITH_FORK_PERCENT) >> 20);
            view.warn("no-maxmemory-in-group", "maxmemory", text, &fix);
        }
        return;
    }
    let group = machine.cgroup.as_ref().filter(|limit| max > limit.bytes);
    let group = group
        .map(|limit| (limit.bytes, format!("the control group allows ({})", limit.file.display())));
    let memory = machine.memory.filter(|memory| max > *memory);
    let memory = memory.map(|memory| (memory, "the machine has".to_owned()));
    let fit = |bytes: u64| format!("maxmemory {}mb", (bytes / 100 * WITH_FORK_PERCENT) >> 20);
    if let Some((bytes, whose)) = group.or(memory) {
        let text = format!("{} are more than {whose}: {}", size(max), size(bytes));
        view.warn("maxmemory-too-large", "maxmemory", text, &fit(bytes));
    } else if let Some(bytes) = machine.available()
        && forks(view)
        && max > bytes / 100 * WITH_FORK_PERCENT
    {
        let text = format!(
            "of {} of memory, {} are for data: a child that saves may need a copy of what is \
             written meanwhile",
            size(bytes),
            size(max)
        );
        view.warn("no-room-for-fork", "maxmemory", text, &fit(bytes));
    }
}

fn policy(view: &mut View<'_>) {
    let name = view.value("maxmemory-policy");
    if view.config().memory.max_memory == 0 {
        if name != "noeviction" {
            let text = format!("nothing is evicted by '{name}' without a limit of memory");
            view.note("policy-without-limit", "maxmemory-policy", text, "set 'maxmemory'");
        }
        return;
    }
    if name.starts_with("allkeys-") && forks(view) {
        let what = if view.config().aof.enabled { "appendonly yes" } else { "save" };
        let text = format!("a cache ('{name}') whose data are written to disk ('{what}')");
        let fix = "if the data can be made again: save \"\" and appendonly no";
        view.note("saved-cache", "maxmemory-policy", text, fix);
    }
    if name.starts_with("volatile-") {
        let text =
            format!("'{name}' evicts keys that expire only; when none is left, writes are refused");
        view.note("volatile-policy", "maxmemory-policy", text, "");
    }
}

/// Limits of clients that are larger than all memory say nothing.
fn clients(view: &mut View<'_>) {
    let max = view.config().memory.max_memory;
    if max == 0 {
        return;
    }
    let clients = &view.config().clients;
    let output = clients.output_buffer_limits.map(|limit| limit.hard_bytes.max(limit.soft_bytes));
    let limits = [
        ("maxmemory-clients", u64::try_from(clients.max_memory).unwrap_or(0)),
        ("client-query-buffer-limit", clients.query_buffer_limit as u64),
        ("client-output-buffer-limit", output.into_iter().max().unwrap_or(0)),
    ];
    for (name, bytes) in limits {
        if bytes > max && view.is_given(name) {
            let text = format!("{} are more than all memory ({})", size(bytes), size(max));
            view.warn("client-limit-too-large", name, text, "set it to a part of 'maxmemory'");
        }
    }
}

fn kernel(view: &mut View<'_>) {
    let machine = view.world.machine;
    if forks(view)
        && let Some(advice) = system::overcommit(machine)
    {
        view.warn("overcommit", "", advice.text, advice.fix);
    }
    if !view.config().process.disable_thp
        && let Some(advice) = system::huge_pages(machine)
    {
        view.warn("huge-pages", "disable-thp", advice.text, "disable-thp yes");
    }
}
