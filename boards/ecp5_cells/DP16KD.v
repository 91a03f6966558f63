// A block memory of 2048 bytes of nine bits, with two ports of 1, 2, 4, 9 or 18 bits, or, if
// DATA_WIDTH_A is 36, one that writes (A) and one that reads (B). An address counts bits, eight of
// them to the byte; the ports of fewer than nine bits never see the ninth. With 18 and 36 bits, the
// lowest bits of the address say which bytes are written.
//
// A port that is enabled and selected reads at its clock; while it also writes, its output stays
// ("NORMAL"), shows the word as it then is ("WRITETHROUGH"), or as it was ("READBEFOREWRITE"). What
// one port reads while the other writes it is undefined in the chip; here it is the old word.
module DP16KD (
    input DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5,
    DIA4, DIA3, DIA2, DIA1, DIA0,
    input ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0,
    input CEA, OCEA, CLKA, WEA, RSTA, CSA2, CSA1, CSA0,
    output DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5,
    DOA4, DOA3, DOA2, DOA1, DOA0,
    input DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5,
    DIB4, DIB3, DIB2, DIB1, DIB0,
    input ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0,
    input CEB, OCEB, CLKB, WEB, RSTB, CSB2, CSB1, CSB0,
    output DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5,
    DOB4, DOB3, DOB2, DOB1, DOB0,
    input GSRN
);
    parameter DATA_WIDTH_A = 18;
    parameter DATA_WIDTH_B = 18;
    parameter REGMODE_A = "NOREG";
    parameter REGMODE_B = "NOREG";
    parameter RESETMODE = "SYNC";
    parameter ASYNC_RESET_RELEASE = "SYNC";
    parameter [39:0] CSDECODE_A = "0b000";
    parameter [39:0] CSDECODE_B = "0b000";
    parameter WRITEMODE_A = "NORMAL";
    parameter WRITEMODE_B = "NORMAL";
    parameter CLKAMUX = "CLKA";
    parameter CLKBMUX = "CLKB";
    parameter [319:0] INITVAL_00 = 320'h0, INITVAL_01 = 320'h0, INITVAL_02 = 320'h0;
    parameter [319:0] INITVAL_03 = 320'h0, INITVAL_04 = 320'h0, INITVAL_05 = 320'h0;
    parameter [319:0] INITVAL_06 = 320'h0, INITVAL_07 = 320'h0, INITVAL_08 = 320'h0;
    parameter [319:0] INITVAL_09 = 320'h0, INITVAL_0A = 320'h0, INITVAL_0B = 320'h0;
    parameter [319:0] INITVAL_0C = 320'h0, INITVAL_0D = 320'h0, INITVAL_0E = 320'h0;
    parameter [319:0] INITVAL_0F = 320'h0, INITVAL_10 = 320'h0, INITVAL_11 = 320'h0;
    parameter [319:0] INITVAL_12 = 320'h0, INITVAL_13 = 320'h0, INITVAL_14 = 320'h0;
    parameter [319:0] INITVAL_15 = 320'h0, INITVAL_16 = 320'h0, INITVAL_17 = 320'h0;
    parameter [319:0] INITVAL_18 = 320'h0, INITVAL_19 = 320'h0, INITVAL_1A = 320'h0;
    parameter [319:0] INITVAL_1B = 320'h0, INITVAL_1C = 320'h0, INITVAL_1D = 320'h0;
    parameter [319:0] INITVAL_1E = 320'h0, INITVAL_1F = 320'h0, INITVAL_20 = 320'h0;
    parameter [319:0] INITVAL_21 = 320'h0, INITVAL_22 = 320'h0, INITVAL_23 = 320'h0;
    parameter [319:0] INITVAL_24 = 320'h0, INITVAL_25 = 320'h0, INITVAL_26 = 320'h0;
    parameter [319:0] INITVAL_27 = 320'h0, INITVAL_28 = 320'h0, INITVAL_29 = 320'h0;
    parameter [319:0] INITVAL_2A = 320'h0, INITVAL_2B = 320'h0, INITVAL_2C = 320'h0;
    parameter [319:0] INITVAL_2D = 320'h0, INITVAL_2E = 320'h0, INITVAL_2F = 320'h0;
    parameter [319:0] INITVAL_30 = 320'h0, INITVAL_31 = 320'h0, INITVAL_32 = 320'h0;
    parameter [319:0] INITVAL_33 = 320'h0, INITVAL_34 = 320'h0, INITVAL_35 = 320'h0;
    parameter [319:0] INITVAL_36 = 320'h0, INITVAL_37 = 320'h0, INITVAL_38 = 320'h0;
    parameter [319:0] INITVAL_39 = 320'h0, INITVAL_3A = 320'h0, INITVAL_3B = 320'h0;
    parameter [319:0] INITVAL_3C = 320'h0, INITVAL_3D = 320'h0, INITVAL_3E = 320'h0;
    parameter [319:0] INITVAL_3F = 320'h0;

    // Sixteen words of 18 bits in each parameter, 20 bits apart.
    localparam [20479:0] INITIAL = {
        INITVAL_3F, INITVAL_3E, INITVAL_3D, INITVAL_3C, INITVAL_3B, INITVAL_3A, INITVAL_39,
        INITVAL_38, INITVAL_37, INITVAL_36, INITVAL_35, INITVAL_34, INITVAL_33, INITVAL_32,
        INITVAL_31, INITVAL_30, INITVAL_2F, INITVAL_2E, INITVAL_2D, INITVAL_2C, INITVAL_2B,
        INITVAL_2A, INITVAL_29, INITVAL_28, INITVAL_27, INITVAL_26, INITVAL_25, INITVAL_24,
        INITVAL_23, INITVAL_22, INITVAL_21, INITVAL_20, INITVAL_1F, INITVAL_1E, INITVAL_1D,
        INITVAL_1C, INITVAL_1B, INITVAL_1A, INITVAL_19, INITVAL_18, INITVAL_17, INITVAL_16,
        INITVAL_15, INITVAL_14, INITVAL_13, INITVAL_12, INITVAL_11, INITVAL_10, INITVAL_0F,
        INITVAL_0E, INITVAL_0D, INITVAL_0C, INITVAL_0B, INITVAL_0A, INITVAL_09, INITVAL_08,
        INITVAL_07, INITVAL_06, INITVAL_05, INITVAL_04, INITVAL_03, INITVAL_02, INITVAL_01,
        INITVAL_00
    };

    localparam SPLIT = DATA_WIDTH_A == 36;
    // Bits of the address below the word of a port.
    localparam LOW_A = DATA_WIDTH_A == 36 ? 5 : DATA_WIDTH_A == 18 ? 4 : DATA_WIDTH_A == 9 ? 3
        : DATA_WIDTH_A == 4 ? 2 : DATA_WIDTH_A == 2 ? 1 : 0;
    localparam LOW_B = DATA_WIDTH_B == 36 ? 5 : DATA_WIDTH_B == 18 ? 4 : DATA_WIDTH_B == 9 ? 3
        : DATA_WIDTH_B == 4 ? 2 : DATA_WIDTH_B == 2 ? 1 : 0;

    // What is stored: elements as wide as the narrower port, and no wider than a byte, so that no
    // write has to read. The ninth bits stand apart if a byte is more than one element.
    localparam LOWEST = LOW_A < LOW_B ? LOW_A : LOW_B;
    localparam LOW = LOWEST < 3 ? LOWEST : 3;
    localparam BITS = LOW == 3 ? 9 : 1 << LOW;
    localparam PER_BYTE = 8 >> LOW;
    localparam COUNT_A = DATA_WIDTH_A < 9 ? DATA_WIDTH_A / BITS : DATA_WIDTH_A / 9 * PER_BYTE;
    localparam COUNT_B = DATA_WIDTH_B < 9 ? DATA_WIDTH_B / BITS : DATA_WIDTH_B / 9 * PER_BYTE;
    reg [BITS-1:0] elements [0:(16384 >> LOW) - 1];
    reg ninth [0:2047];
    integer n, k;
    // A variable, because Icarus writes a constant out anew wherever a part of it is taken.
    reg [20479:0] image;
    initial begin
        image = INITIAL;
        for (n = 0; n < 2048; n = n + 1) begin
            for (k = 0; k < PER_BYTE; k = k + 1)
                elements[n * PER_BYTE + k] = image[20 * (n / 2) + 9 * (n % 2) + k * BITS +: BITS];
            ninth[n] = image[20 * (n / 2) + 9 * (n % 2) + 8];
        end
    end

    // Port A.
    wire clock_a = CLKAMUX == "INV" ? ~CLKA : CLKA;
    wire [13:0] address_a = {
        ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0};
    wire [2:0] select_a = {CSA2, CSA1, CSA0};
    // The characters 0 and 1 differ in their last bit.
    wire enable_a = CEA && select_a == {CSDECODE_A[16], CSDECODE_A[8], CSDECODE_A[0]};
    wire [35:0] data_a = {
        DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5,
        DIB4, DIB3, DIB2, DIB1, DIB0,
        DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5,
        DIA4, DIA3, DIA2, DIA1, DIA0};
    wire [3:0] bytes_a = SPLIT ? address_a[3:0]
        : DATA_WIDTH_A == 18 ? {2'b00, address_a[1:0]} : 4'b0001;
    // A reset at the clock keeps the port from writing.
    wire writes_a = enable_a && (SPLIT || (WEA && !(RESETMODE == "SYNC" && RSTA)));
    wire [35:0] old_a, new_a;

    // Port B.
    wire clock_b = CLKBMUX == "INV" ? ~CLKB : CLKB;
    wire [13:0] address_b = {
        ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0};
    wire [2:0] select_b = {CSB2, CSB1, CSB0};
    // The characters 0 and 1 differ in their last bit.
    wire enable_b = CEB && select_b == {CSDECODE_B[16], CSDECODE_B[8], CSDECODE_B[0]};
    wire [35:0] data_b = {18'b0,
        DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5,
        DIB4, DIB3, DIB2, DIB1, DIB0};
    wire [3:0] bytes_b = DATA_WIDTH_B == 18 ? {2'b00, address_b[1:0]} : 4'b0001;
    wire writes_b = enable_b && !SPLIT && WEB && !(RESETMODE == "SYNC" && RSTB);
    wire [35:0] old_b, new_b;

    genvar i;
    generate
        for (i = 0; i < COUNT_A; i = i + 1) begin : element_a
            localparam AT = 9 * (i / PER_BYTE) + BITS * (i % PER_BYTE);
            wire [13:0] place = ((address_a >> LOW_A) << (LOW_A - LOW)) + i;
            wire write = writes_a && bytes_a[i / PER_BYTE];
            assign old_a[AT +: BITS] = elements[place];
            assign new_a[AT +: BITS] = write ? data_a[AT +: BITS] : old_a[AT +: BITS];
            always @(posedge clock_a) if (write) elements[place] <= data_a[AT +: BITS];
        end
        for (i = 0; i < (LOW < 3 ? DATA_WIDTH_A / 9 : 0); i = i + 1) begin : ninth_a
            wire [10:0] place = ((address_a >> LOW_A) << (LOW_A - 3)) + i;
            wire write = writes_a && bytes_a[i];
            assign old_a[9 * i + 8] = ninth[place];
            assign new_a[9 * i + 8] = write ? data_a[9 * i + 8] : old_a[9 * i + 8];
            always @(posedge clock_a) if (write) ninth[place] <= data_a[9 * i + 8];
        end
        if (DATA_WIDTH_A < 36) begin : beyond_a
            assign old_a[35:DATA_WIDTH_A] = 0;
            assign new_a[35:DATA_WIDTH_A] = 0;
        end
    endgenerate

    generate
        for (i = 0; i < COUNT_B; i = i + 1) begin : element_b
            localparam AT = 9 * (i / PER_BYTE) + BITS * (i % PER_BYTE);
            wire [13:0] place = ((address_b >> LOW_B) << (LOW_B - LOW)) + i;
            wire write = writes_b && bytes_b[i / PER_BYTE];
            assign old_b[AT +: BITS] = elements[place];
            assign new_b[AT +: BITS] = write ? data_b[AT +: BITS] : old_b[AT +: BITS];
            always @(posedge clock_b) if (write) elements[place] <= data_b[AT +: BITS];
        end
        for (i = 0; i < (LOW < 3 ? DATA_WIDTH_B / 9 : 0); i = i + 1) begin : ninth_b
            wire [10:0] place = ((address_b >> LOW_B) << (LOW_B - 3)) + i;
            wire write = writes_b && bytes_b[i];
            assign old_b[9 * i + 8] = ninth[place];
            assign new_b[9 * i + 8] = write ? data_b[9 * i + 8] : old_b[9 * i + 8];
            always @(posedge clock_b) if (write) ninth[place] <= data_b[9 * i + 8];
        end
        if (DATA_WIDTH_B < 36) begin : beyond_b
            assign old_b[35:DATA_WIDTH_B] = 0;
            assign new_b[35:DATA_WIDTH_B] = 0;
        end
    endgenerate

    wire [35:0] shown_a, shown_b;
    DP16KD_output #(.REGMODE(REGMODE_A), .RESETMODE(RESETMODE), .RELEASE(ASYNC_RESET_RELEASE)) a (
        .clock(clock_a), .reset(RSTA), .output_enable(OCEA), .GSRN(GSRN),
        .enable(enable_a && !(writes_a && WRITEMODE_A == "NORMAL")),
        .value(WRITEMODE_A == "WRITETHROUGH" ? new_a : old_a), .shown(shown_a));
    DP16KD_output #(.REGMODE(REGMODE_B), .RESETMODE(RESETMODE), .RELEASE(ASYNC_RESET_RELEASE)) b (
        .clock(clock_b), .reset(RSTB), .output_enable(OCEB), .GSRN(GSRN),
        .enable(enable_b && !(writes_b && WRITEMODE_B == "NORMAL")),
        .value(WRITEMODE_B == "WRITETHROUGH" ? new_b : old_b), .shown(shown_b));

    assign {
        DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5,
        DOA4, DOA3, DOA2, DOA1, DOA0}
        = SPLIT ? shown_b[17:0] : shown_a[17:0];
    // The one read port answers where 36 bits have their upper half.
    assign {
        DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5,
        DOB4, DOB3, DOB2, DOB1, DOB0}
        = SPLIT && DATA_WIDTH_B == 36 ? shown_b[35:18] : shown_b[17:0];

    generate
        if ((DATA_WIDTH_B == 36 && !SPLIT)
            || (SPLIT && DATA_WIDTH_B == 36 && REGMODE_A != REGMODE_B)) begin : refused
            DP16KD_of_these_parameters_has_no_model stop ();
        end
    endgenerate
endmodule
