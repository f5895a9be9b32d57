//! Registry, lists and directories that do not agree.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::case::{Case, findings};

#[test]
fn what_is_wrong_with_the_registry_is_said() {
    let case = Case::new();
    case.finds(&[]);
    let back = |case: &Case| case.register(&["nso"]);
    let unreadable = |text| ("error", "registry-unreadable", "slon_parser.cfg", text);
    case.breaks(
        unreadable("is not there, but nodes are registered by it"),
        |case| case.remove("etc/slon_parser.cfg"),
        back,
    );
    let append = |case: &Case, line: &str| {
        let text = case.station.read("etc/slon_parser.cfg");
        case.write("etc/slon_parser.cfg", &format!("{text}{line}\n"));
    };
    case.breaks(
        unreadable("line 2: a second directory of the name `nso`"),
        |case| append(case, "/else/nso /else/nso.lst"),
        back,
    );
    case.breaks(
        ("error", "foreign-entry", "site_logs/n.so", "`n.so`"),
        |case| {
            append(case, &format!("{} /x.lst", case.at("site_logs/n.so").display()));
        },
        back,
    );
    case.breaks(
        ("note", "entry-outside", "site_logs/nso", "outside"),
        |case| {
            case.write("elsewhere.lst", "hmi.m_45s\n");
            let (sites, list) = (case.at("site_logs/nso"), case.at("elsewhere.lst"));
            case.write("etc/slon_parser.cfg", &format!("{} {}\n", sites.display(), list.display()));
            case.remove("etc/nso.lst");
        },
        |case| {
            case.write("etc/nso.lst", "hmi.m_45s\n");
            case.register(&["nso"]);
        },
    );
}

/// What is to be done about a site that is gone, and what happens meanwhile.
const GONE: &str = "`remove NODE` if the site is gone: its logs stop meanwhile, the others go on";

#[test]
fn a_node_needs_its_list_and_its_directory() {
    let case = Case::new();
    let (list, hidden) = (case.at("etc/nso.lst"), case.at("list"));
    case.breaks(
        ("error", "list-missing", "nso", "nso.lst"),
        |_| fs::rename(&list, &hidden).unwrap(),
        |case| {
            assert_eq!(case.hint("list-missing"), format!("put the list back, or {GONE}"));
            fs::rename(&hidden, &list).unwrap();
        },
    );
    let (directory, away) = (case.at("site_logs/nso"), case.at("away"));
    case.breaks(
        ("error", "directory-missing", "nso", "site_logs/nso"),
        |_| fs::rename(&directory, &away).unwrap(),
        |case| {
            assert_eq!(case.hint("directory-missing"), format!("put the directory back, or {GONE}"));
            fs::rename(&away, &directory).unwrap();
        },
    );
    case.breaks(
        ("error", "unreadable", "nso", "line 1"),
        |case| case.write("etc/nso.cuts", "hmi.m_45s\n"),
        |case| {
            let hint = "put the file right: its logs stop meanwhile, the others go on";
            assert_eq!(case.hint("unreadable"), hint);
            case.remove("etc/nso.cuts");
        },
    );
    case.write("etc/nso.cuts", "from 3\nhmi.m_45s hmi.m_45s_seq\n");
    case.finds(&[]);
    case.breaks(
        ("warning", "list-differs", "nso", "lacks 1 series that `.cuts` has, and has 2"),
        |case| case.write("etc/nso.lst", "hmi.v_45s\naia.lev1\n"),
        |case| case.write("etc/nso.lst", "hmi.m_45s\n"),
    );
    case.breaks(
        ("warning", "list-missing", "nso", "the splitter goes by `.cuts`"),
        |case| case.remove("etc/nso.lst"),
        |case| case.write("etc/nso.lst", "hmi.m_45s\n"),
    );
}

#[test]
fn what_belongs_to_no_node_is_said() {
    let case = Case::new();
    case.breaks(
        ("warning", "unregistered-list", "so", "so.lst, so.cuts"),
        |case| {
            case.write("etc/so.lst", "hmi.m_45s\n");
            case.write("etc/so.cuts", "from 3\nhmi.m_45s\n");
        },
        |case| {
            case.remove("etc/so.lst");
            case.remove("etc/so.cuts");
        },
    );
    case.breaks(
        ("warning", "unregistered-directory", "so", "site_logs/so"),
        |case| fs::create_dir(case.at("site_logs/so")).unwrap(),
        |case| case.remove("site_logs/so"),
    );
    case.breaks(
        ("warning", "leftover", "so", "so.stopped, so.ddl, so.counter"),
        |case| {
            case.write("etc/so.stopped", "before 3\n");
            case.write("etc/so.ddl", "3 skip\n");
            case.write("triggers/so.counter", "3\n");
        },
        |case| {
            for path in ["etc/so.stopped", "etc/so.ddl", "triggers/so.counter"] {
                case.remove(path);
            }
        },
    );
    case.breaks(
        ("warning", "stale-new", "nso", "a line of nso.new in the registry"),
        |case| {
            case.register(&["nso", "nso.new"]);
            case.write("etc/nso.new.lst", "hmi.m_45s\n");
            fs::create_dir(case.at("site_logs/nso.new")).unwrap();
        },
        |case| {
            case.register(&["nso"]);
            case.remove("etc/nso.new.lst");
            case.remove("site_logs/nso.new");
        },
    );
    case.breaks(
        ("error", "held-without-fence", "nso", "nso.held"),
        |case| fs::create_dir(case.at("site_logs/nso.held")).unwrap(),
        |case| case.remove("site_logs/nso.held"),
    );
}

/// As it is where `work_dir` is not set.
#[test]
fn directories_that_are_one_are_looked_at_once() {
    let case = Case::new();
    case.configure(&format!("work_dir={}\n", case.at("etc").display()));
    case.write("etc/split.counter", "6\n");
    case.finds(&[]);
    case.breaks(
        ("warning", "temporary", "etc/.tmp-x", "older than a day"),
        |case| {
            case.write("etc/.tmp-x", "half");
            case.age("etc/.tmp-x", 2);
        },
        |case| case.remove("etc/.tmp-x"),
    );
    fs::set_permissions(case.at("etc"), fs::Permissions::from_mode(0o777)).unwrap();
    case.finds(&[("warning", "loose-permissions", "etc", "mode 777")]);
}

#[test]
fn who_may_write_where_is_said() {
    let case = Case::new();
    for path in ["etc/slon_parser.cfg", "etc", "work"] {
        let at = case.at(path);
        let usual = fs::metadata(&at).unwrap().permissions();
        let mode = |mode| fs::set_permissions(&at, fs::Permissions::from_mode(mode)).unwrap();
        let name = path.rsplit('/').next().unwrap();
        case.breaks(
            ("warning", "loose-permissions", name, "mode 777"),
            |_| mode(0o777),
            |_| fs::set_permissions(&at, usual).unwrap(),
        );
    }
}

/// The node as requests make it, with `.cuts`.
fn with_cuts() -> Case {
    let case = Case::new();
    case.write("etc/nso.lst", "hmi.m_45s\naia.lev1\n");
    case.write("etc/nso.cuts", "from 3\nhmi.m_45s hmi.m_45s_seq\naia.lev1 aia.lev1_seq\n");
    case
}

/// Every byte of a file that was damaged in one bit is said, or means what it meant before.
#[track_caller]
fn is_said_of_every_letter(case: &Case, path: &str, means_the_same: impl Fn(&[u8]) -> bool) {
    let whole = fs::read(case.at(path)).unwrap();
    let said = || {
        let found = findings(&case.station.command(&["check", "--json"]));
        // That a line leads elsewhere may be meant so, and is said too.
        let found = found.iter().filter(|finding| finding["code"] != "daemon-away");
        found.into_iter().any(|finding| finding["severity"] != "note" || finding["code"] == "entry-outside")
    };
    assert!(!said());
    let mut silent = Vec::new();
    for at in 0..whole.len() {
        // Every bit of a byte, over the file; all of each byte would take an hour.
        let mut damaged = whole.clone();
        damaged[at] ^= 1 << (at % 8);
        if means_the_same(&damaged) {
            continue;
        }
        fs::write(case.at(path), &damaged).unwrap();
        if !said() {
            silent.push(String::from_utf8_lossy(&damaged).into_owned());
        }
    }
    fs::write(case.at(path), &whole).unwrap();
    assert!(silent.is_empty(), "{silent:#?}");
    assert!(!said());
}

/// Upper and lower case of a name without quotes are one, and so are a space and a tab.
fn alike(one: &[u8], other: &[u8]) -> bool {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).to_lowercase();
    let words =
        |text: &str| text.lines().map(|line| line.split_whitespace().map(str::to_owned).collect()).collect();
    let lines: [Vec<Vec<String>>; 2] = [words(&text(one)), words(&text(other))];
    lines[0] == lines[1]
}

#[test]
fn a_flipped_letter_in_a_list_is_said() {
    let case = Case::new();
    let list = fs::read(case.at("etc/nso.lst")).unwrap();
    is_said_of_every_letter(&case, "etc/nso.lst", |damaged| alike(damaged, &list));
    let case = with_cuts();
    let list = fs::read(case.at("etc/nso.lst")).unwrap();
    is_said_of_every_letter(&case, "etc/nso.lst", |damaged| alike(damaged, &list));
}

#[test]
fn a_flipped_letter_in_the_lists_by_counter_is_said() {
    let case = with_cuts();
    let cuts = fs::read(case.at("etc/nso.cuts")).unwrap();
    let is_sequence = |damaged: &[u8]| {
        let series = |bytes: &[u8]| -> Vec<String> {
            let text = String::from_utf8_lossy(bytes).into_owned();
            text.lines().map(|line| line.split(' ').next().unwrap_or_default().to_lowercase()).collect()
        };
        series(damaged) == series(&cuts)
    };
    is_said_of_every_letter(&case, "etc/nso.cuts", |damaged| alike(damaged, &cuts) || is_sequence(damaged));
}

#[test]
fn a_flipped_letter_in_the_registry_is_said() {
    let case = with_cuts();
    let registry = fs::read(case.at("etc/slon_parser.cfg")).unwrap();
    let same = |damaged: &[u8]| {
        let words = |bytes: &[u8]| -> Vec<String> {
            String::from_utf8_lossy(bytes).split_whitespace().map(str::to_owned).collect()
        };
        words(damaged) == words(&registry)
    };
    is_said_of_every_letter(&case, "etc/slon_parser.cfg", same);
}
