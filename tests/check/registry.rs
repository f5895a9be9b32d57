//! Registry, lists and directories that do not agree.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::case::Case;

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
