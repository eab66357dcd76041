"""The trade's synonyms: abbreviations, and what operators say beside what standards and orders print.

From the vocabulary of glossaries, orders and control rooms. No question of a bench and no document was
mined for them, and everyday words are left to the embedding model and to an agent's rephrasings.
Abbreviations that are words of their own (TO, GO, TOP) stand only in their long form.
"""

_GROUPS = """
load shedding | load shed | shed load | interruption of firm load | firm load interruption
rotating outages | rolling blackouts | load shedding
blackout | cascading | cascading outage | uncontrolled separation | system collapse
instability | voltage collapse | loss of synchronism
operating emergency | system emergency | energy emergency | capacity emergency
energy emergency alert | eea
area control error | ace | reporting ace
frequency response | primary frequency response | governor response | droop
frequency bias setting | frequency bias
control performance standard | cps1
balancing authority ace limit | baal
automatic generation control | agc | secondary control | frequency regulation
contingency reserve | operating reserve | spinning reserve | non-spinning reserve
most severe single contingency | mssc | largest single contingency
balancing contingency event | disturbance | sudden loss of generation | unit trip
frequency response obligation | fro
frequency response measure | frm
balancing authority | control area operator
reliability coordinator | reliability coordination
transmission operator | transmission system operator | tso
distribution provider | distribution utility | distribution company
load-serving entity | lse | retail supplier
responsible entity | registered entity
electric reliability organization | ero | nerc
federal energy regulatory commission | ferc
notice of proposed rulemaking | nopr | proposed rule
operating instruction | reliability directive | switching order
bulk electric system | bes | bulk power system | bps
system operating limit | sol
interconnection reliability operating limit | irol
real-time assessment | rta | real-time contingency analysis | rtca
operational planning analysis | next-day study | day-ahead study
remedial action scheme | ras | special protection system | sps
protection system | protective relay | relaying
underfrequency load shedding | ufls
undervoltage load shedding | uvls
blackstart | black start | system restoration resource
cranking path | restoration path
system restoration | re-energization | service restoration
reactive power | var support | voltage support | mvar
real power | active power
automatic voltage regulator | avr
power system stabilizer | pss
facility rating | equipment rating
transmission line rating | thermal rating | ampacity
ambient-adjusted rating | aar | temperature-dependent rating
dynamic line rating | dlr
emergency rating | short-term rating
grid-enhancing technologies | alternative transmission technologies | advanced transmission technologies
substation | switching station | switchyard
control center | control room | dispatch center | operations center
senior manager | accountable executive
delegate | deputy | authorized representative
evidence | proof of compliance | compliance records
technical feasibility exception | tfe | where technically feasible
violation severity level | vsl
violation risk factor | vrf
compliance enforcement authority | cea | regional entity
security patch | software update | security update | hotfix | patch
patch source | update source
vulnerability | security flaw | software weakness
vulnerability assessment | penetration test | vulnerability scan
mitigation plan | remediation plan | corrective action plan
malicious code | malware | ransomware
antivirus | malware protection | endpoint protection
application whitelisting | application allow-listing
system hardening | hardening
password | authenticator | passphrase | credentials
default password | factory password | vendor-default password
account lockout | failed authentication attempts | unsuccessful login attempts
authentication | login | logon | sign-in
multi-factor authentication | two-factor authentication | mfa | 2fa
shared account | group account
generic account | default account
access authorization | access rights | user privileges
access revocation | removal of access | deprovisioning
interactive remote access | remote access | remote login
dial-up connectivity | modem access
intermediate system | jump host | jump server | bastion host
vendor | supplier | contractor
vendor remote access | third-party remote access | remote support session
electronic security perimeter | esp | network security perimeter
electronic access point | eap | perimeter firewall
electronic access control or monitoring system | eacms
physical access control system | pacs | badge system
physical security perimeter | psp
protected cyber asset | pca
bes cyber system | bcs | industrial control system | ics | scada system
external routable connectivity | erc | routable connectivity
cyber asset | programmable electronic device
transient cyber asset | tca | maintenance laptop | portable computer
removable media | usb drive | usb stick | flash drive | portable storage
physical input/output ports | physical ports | usb ports
logical network accessible ports | network ports | listening ports
malicious communications detection | intrusion detection | ids | ips
internal network security monitoring | insm
security event monitoring | siem | log monitoring
event log | audit log | security log
cyber security incident | cyber attack | security breach | cyber intrusion
incident response plan | csirp
tabletop exercise | paper drill | operational exercise
lessons learned | after-action review | post-incident review
electricity information sharing and analysis center | e-isac | es-isac
baseline configuration | configuration baseline
configuration change management | change control | change management
unauthorized change | unapproved change
test environment | non-production environment | staging environment
production environment | operational environment
software integrity | software authenticity | code signing
supply chain risk management | scrm | vendor risk management
personnel risk assessment | pra | background check
security awareness | awareness program
bes cyber system information | bcsi | information protection
recovery plan | disaster recovery | backup and restore
physical attack | physical security attack
ballistic protection | gunfire protection
unaffiliated third party | independent third party
non-disclosure agreement | nda | confidentiality agreement
impact rating | impact categorization | high impact | medium impact | low impact
cip exceptional circumstance | exceptional circumstances
generator step-up transformer | gsu
interconnection request | generator interconnection | interconnection queue
cluster study | first-ready, first-served study
network upgrade | grid reinforcement | transmission reinforcement
regional transmission planning | long-term transmission planning | transmission expansion planning
cost allocation | cost sharing | cost assignment
beneficiary | cost causation
right of first refusal | rofr
construction work in progress | cwip
incumbent transmission provider | incumbent utility
nonincumbent transmission developer | merchant developer | competitive developer
public policy requirements | renewable portfolio standard | clean energy standard
interregional transmission coordination | interregional planning
integrated resource plan | irp
loss of load probability | lolp | resource adequacy
planning reserve margin | prm
rehearing | reconsideration
open access transmission tariff | oatt | open access tariff
just and reasonable | unduly discriminatory
compliance filing | tariff filing
federal power act | fpa
national environmental policy act | nepa
environmental impact statement | eis | environmental assessment | ea
national interest electric transmission corridor | national corridor | nietc
transmission siting | siting permit | backstop siting
eminent domain | condemnation | expropriation
right-of-way | easement
certificate of public convenience and necessity | cpcn
state commission | public utility commission | state siting authority
applicant code of conduct | good faith efforts
limited english proficiency | language access
electric storage resource | energy storage | battery storage | esr
state of charge | stored energy level
distributed energy resource | der | behind-the-meter resource
distributed energy resource aggregation | der aggregation | virtual power plant | vpp
relevant electric retail regulatory authority | rerra
participation model | market participation rules
regional transmission organization | rto | independent system operator
locational marginal price | lmp | nodal price
demand response | interruptible load | curtailable load
ancillary services | operating services
inverter-based resource | ibr
ride-through | voltage ride-through | frequency ride-through
transmission loading relief | tlr
unplanned outage | forced outage
planned outage | scheduled outage | maintenance outage
three-part communication | repeat back | read back
"""

SYNONYMS: tuple[frozenset[str], ...] = tuple(
    frozenset(phrase.strip() for phrase in line.split("|")) for line in _GROUPS.strip().splitlines()
)
"""Groups of phrases in lower case; each of a group may stand for the others in a search."""
