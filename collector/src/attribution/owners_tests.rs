use super::*;

fn process(pid: u32, start: u64, name: &str) -> Arc<Process> {
    Arc::new(Process {
        identity: Identity { pid, start, name: name.to_owned() },
        executable: format!("/usr/bin/{name}"),
        command_line: format!("{name} {pid}"),
        user: "root".to_owned(),
        unit: "x.service".to_owned(),
        container: String::new(),
        parents: Vec::new(),
    })
}

fn owners() -> Owners {
    Owners::new(Boot::read())
}

fn news(pid: u32, start: u64, comm: &str) -> OwnerNews {
    OwnerNews { pid, start, comm: comm.to_owned(), cgroup: 7, ..OwnerNews::default() }
}

#[test]
fn a_pid_used_again_and_a_program_run_in_its_place_are_others() {
    let mut owners = owners();
    let first = owners.of(&[process(7, 100, "sh")]);
    assert_eq!(owners.of(&[process(7, 100, "sh")]), first);
    let again = owners.of(&[process(7, 900, "sh")]);
    let executed = owners.of(&[process(7, 900, "curl")]);
    assert!(first != again && again != executed && first != executed);
    assert!(first >= OwnerId::FIRST_PROCESS);
}

#[test]
fn one_that_was_told_before_it_ran_its_program_is_called_by_it() {
    let mut owners = owners();
    let id = owners.of(&[process(7, 100, "ip")]);
    let before = Identity { pid: 7, start: 100, name: "ip".to_owned() };
    let executed = Executed { before, process: process(7, 100, "curl") };
    owners.executed(&executed);
    assert_eq!(owners.of(&[process(7, 100, "curl")]), id);
    assert_eq!(owners.owner(id).unwrap().command_line, "curl 7");
    owners.gone(7, 100);
    assert!(!owners.owner(id).unwrap().alive);
    // both did something before that was told
    let shell = owners.of(&[process(7, 100, "ip")]);
    owners.executed(&executed);
    assert_eq!((owners.owner(shell).unwrap().name.as_str(), shell == id), ("ip", false));
}

#[test]
fn a_process_told_by_an_event_and_found_in_proc_is_one() {
    let mut owners = owners();
    let (id, incomplete) = owners.told(&news(7, 1_000_000_123, "curl"));
    assert_eq!(incomplete, Some((7, 100)));
    assert_eq!(owners.owner(id).unwrap().command_line, "");
    owners.complete(&process(7, 100, "curl"));
    assert_eq!(owners.owner(id).unwrap().command_line, "curl 7");
    assert_eq!(owners.of(&[process(7, 100, "curl")]), id);
    assert_eq!(owners.told(&news(7, 1_000_000_123, "curl")), (id, None));
}

#[test]
fn a_start_that_was_rounded_to_the_next_tick_is_the_same_process() {
    let mut owners = owners();
    let id = owners.of(&[process(7, 100, "curl")]);
    assert_eq!(owners.of(&[process(7, 101, "curl")]), id);
    assert_ne!(owners.of(&[process(7, 102, "curl")]), id);
}

#[test]
fn the_dead_keep_their_name_and_learn_their_unit_from_others_of_the_cgroup() {
    let mut owners = owners();
    owners.told(&news(7, 1_000_000_000, "sh"));
    owners.complete(&process(7, 100, "sh"));
    let (short, _) = owners.told(&news(8, 2_000_000_000, "dig"));
    owners.gone(8, 200);
    let owner = owners.owner(short).unwrap();
    assert_eq!((owner.name.as_str(), owner.unit.as_str(), owner.alive), ("dig", "x.service", false));
}

#[test]
fn sharers_are_one_owner_with_what_they_have_in_common() {
    let mut owners = owners();
    let (a, b) = (process(7, 1, "nginx"), process(8, 2, "nginx"));
    let id = owners.of(&[Arc::clone(&a), Arc::clone(&b)]);
    assert_eq!(owners.of(&[b, Arc::clone(&a)]), id);
    let owner = owners.owner(id).unwrap();
    assert_eq!((owner.name.as_str(), owner.pid, owner.quality), ("nginx", None, MatchQuality::Shared));
    assert_eq!((owner.reason.as_str(), owner.unit.as_str()), ("2 processes of nginx", "x.service"));
    let mixed = owners.of(&[a, process(9, 3, "php")]);
    let owner = owners.owner(mixed).unwrap();
    assert_eq!((owner.name.as_str(), owner.executable.as_str()), ("nginx, php", ""));
}

#[test]
fn of_too_many_the_dead_that_were_used_longest_ago_are_forgotten() {
    let mut owners = owners();
    let dead = owners.of(&[process(1, 1, "dead")]);
    owners.gone(1, 1);
    let alive = owners.of(&[process(2, 1, "alive")]);
    let mut newest = alive;
    for pid in 3..u32::try_from(MOST_OWNERS + 3).unwrap() {
        newest = owners.of(&[process(pid, 1, "x")]);
    }
    owners.of(&[process(2, 1, "alive")]);
    owners.sweep();
    assert!(owners.entries.len() <= MOST_OWNERS);
    assert_eq!(owners.owner(dead), None);
    assert!(owners.owner(alive).is_some() && owners.owner(newest).is_some());
    let sum: usize = owners.by_process.values().map(Vec::len).sum();
    assert_eq!(sum, owners.entries.len());
    assert_eq!(usize::try_from(owners.forgotten).unwrap(), FORGOTTEN_AT_ONCE + 2);
}
